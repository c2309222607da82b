"""How much memory processes and the machine have, from /proc; all of it unknown (0 or infinite) elsewhere."""

from __future__ import annotations

import math
import re
from pathlib import Path

SHARE = 0.8  # of the memory that is free at the start, for all workers together
LOW = 0.03  # share of all memory below which the machine is nearly out
_CGROUPS = (  # limit and use of a container, by the newer and the older interface
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where that is not known."""
    return _field(Path(f"/proc/{pid}/status"), "VmRSS")


def available() -> float:
    """Bytes that may still be had, of the machine or of the container."""
    machine = _field(Path("/proc/meminfo"), "MemAvailable") or math.inf
    return min([machine, *(limit - used for limit, used in _containers())])


def total() -> float:
    """Bytes of the machine or of the container."""
    machine = _field(Path("/proc/meminfo"), "MemTotal") or math.inf
    return min([machine, *(limit for limit, _ in _containers())])


def nearly_out() -> bool:
    """Whether the machine is about to kill somebody."""
    return available() < LOW * total() < math.inf


def share(slots: int) -> float:
    """What one of so many workers may hold, by what is free now."""
    return SHARE * available() / slots


def _containers() -> list[tuple[float, float]]:
    found = []
    for limit, used in _CGROUPS:
        try:
            found.append((float(Path(limit).read_text()), float(Path(used).read_text())))
        except (OSError, ValueError):  # no container, or one without a limit ("max")
            continue
    return found


def _field(path: Path, name: str) -> int:
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0
