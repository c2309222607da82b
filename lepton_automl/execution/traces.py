"""Process-wide state that user code may change in a worker process, which would affect the next trial."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

HARMLESS = {"tqdm_monitor"}  # threads of libraries that every trial may start: Lightning's progress bars
SHOWN = 3  # names that are shown of each kind


def snapshot() -> dict[str, Any]:
    """All process-wide state that code can change, by its name in messages."""
    return {
        "the recursion limit": sys.getrecursionlimit(),
        "a signal's handler": {str(number): _handler(number) for number in signal.valid_signals()},
        "the working directory": _tried(os.getcwd),
        "the environment": dict(os.environ),
        "the threads": {str(thread.ident): thread.name for thread in threading.enumerate() if thread.name not in HARMLESS},
        "an open file": _files(),
        "standard input and output": (id(sys.stdin), id(sys.stdout), id(sys.stderr)),
        "the mask of new files' permissions": _umask(),
        **_torch(),
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What differs between two snapshots, as text; empty if nothing does.

    A thread that has ended, or a file that was closed, is not a difference.
    """
    changes = []
    for name, value in after.items():
        known = before.get(name, value)
        if not isinstance(value, dict):
            changes += [name] if value != known else []
            continue
        new = {key for key in value if key not in known or (known[key] != value[key])}
        gone = set() if name in {"the threads", "an open file"} else known.keys() - value.keys()
        if new or gone:
            which = sorted(str(value[key]) if name in {"the threads", "an open file"} else key for key in new) + sorted(gone)
            changes.append(f"{name} ({', '.join(which[:SHOWN])})")
    return ", ".join(changes)


def _handler(number: int) -> Any:
    return _tried(lambda: signal.getsignal(number))


def _files() -> dict[str, str]:
    """Open files, sockets and pipes by number; system files, which libraries map or read, are left out."""
    files = {}
    for file in _tried(lambda: list(Path("/proc/self/fd").iterdir())) or ():
        target = str(_tried(file.readlink) or "")
        if target and not target.startswith(("/dev/", "/proc/", "/sys/", "anon_inode:", "/memfd:")):
            files[f"{file.name} {target}"] = target
    return files


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _torch() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    return {
        "torch's default dtype": str(torch.get_default_dtype()),
        "torch's default device": str(torch.get_default_device()),
        "torch's number of threads": torch.get_num_threads(),
        "whether torch computes gradients": torch.is_grad_enabled(),
        "whether torch's algorithms are deterministic": torch.are_deterministic_algorithms_enabled(),
        "whether torch looks for anomalies": torch.is_anomaly_enabled(),
    }


def _tried(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (OSError, ValueError):
        return None
