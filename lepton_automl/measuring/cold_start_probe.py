"""The script of a fresh process that times its own cold start; it needs only the standard library.

It is passed as text, so that it runs where this package is not installed. It reads three pieces of Python code from standard
input as JSON, and prints their costs as JSON.
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
    """Nanoseconds for which this thread was ready to run and had no core; 0 where the kernel does not count them."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_bytes().split()[1])
    except OSError:
        return 0


def memory(field: str) -> int | None:
    """Bytes of main memory that this process uses (`VmRSS`), or its peak (`VmHWM`); None where the kernel does not report it.

    `ru_maxrss` is unsuitable: a process inherits it from the one that started it (getrusage(2) keeps it over execve).
    """
    try:
        lines = (OWN / "status").read_text().splitlines()
    except OSError:
        return None
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def run_timed(piece: str, names: dict[str, Any]) -> dict[str, int]:
    """Run a piece of code; return its wall time and the part of it spent waiting for a core, in nanoseconds."""
    start, before = time.perf_counter_ns(), queued()
    exec(piece, names)  # noqa: S102  # the caller's own code, which this process is for
    return {"wall": time.perf_counter_ns() - start, "queued": queued() - before}


def main() -> None:
    """Import, reset the memory peak of importing, then load and call."""
    pieces, names = json.load(sys.stdin), {"__name__": "cold_start_probe"}
    imports = run_timed(pieces["imports"], names)
    with contextlib.suppress(OSError):
        (OWN / "clear_refs").write_text("5")  # proc(5): resets the peak of memory
    before = memory("VmRSS")
    cold_start = run_timed(f"{pieces['load']}\n{pieces['answer']}", names)
    peak = memory("VmHWM")
    used = None if before is None or peak is None else peak - before
    print("\n" + json.dumps({"imports": imports, "cold_start": cold_start, "memory": used}))  # noqa: T201  # the report


if __name__ == "__main__":
    main()
