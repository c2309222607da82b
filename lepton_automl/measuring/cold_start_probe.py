"""What a fresh process runs to time its own way to a first answer; it needs nothing but Python itself.

It is handed over as text, so that it runs where this package is not installed. Three pieces of Python come by standard
input as JSON, and what they cost goes to standard output likewise.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

OWN = Path("/proc/self")


def queued() -> int:
    """Nanoseconds for which this thread was ready and had no core; 0 where the kernel does not count them."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_bytes().split()[1])
    except OSError:
        return 0


def memory(field: str) -> int | None:
    """Bytes of main memory that this process has (`VmRSS`) or has had at most (`VmHWM`); None where no kernel tells.

    It is not `ru_maxrss`, which a process inherits from the one that started it (getrusage(2) keeps it over execve).
    """
    try:
        lines = (OWN / "status").read_text().splitlines()
    except OSError:
        return None
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def spent(piece: str, names: dict[str, Any]) -> dict[str, int]:
    """Run a piece; how long it took, and for how much of that there was no core."""
    began, before = time.perf_counter_ns(), queued()
    exec(piece, names)  # noqa: S102  # the caller's own words: to run them is what this process is for
    return {"wall": time.perf_counter_ns() - began, "queued": queued() - before}


def main() -> None:
    """Import, forget the peak that importing left, then load and answer."""
    pieces, names = json.load(sys.stdin), {"__name__": "cold_start_probe"}
    imports = spent(pieces["imports"], names)
    with contextlib.suppress(OSError):
        (OWN / "clear_refs").write_text("5")  # proc(5): the highest memory so far is forgotten
    before = memory("VmRSS")
    cold_start = spent(f"{pieces['load']}\n{pieces['answer']}", names)
    peak = memory("VmHWM")
    held = None if before is None or peak is None else peak - before
    print("\n" + json.dumps({"imports": imports, "cold_start": cold_start, "memory": held}))  # noqa: T201  # its only way to tell


if __name__ == "__main__":
    main()
