"""Memory of processes and the machine, from /proc; elsewhere unknown (0 or infinite).

This file is shipped with every deployed model, so it only needs the standard library.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

SHARE = 0.8  # share of the memory that is free at the start, for all workers together
LOW = 0.03  # share of all memory; with less free, the machine is nearly out of memory
ROOT = Path("/")
# By version of control groups: the files of a group's limit and use, and the part of the use that is reclaimable file cache.
_FILES = {
    2: ("memory.max", "memory.current", "inactive_file"),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def resident(pid: int) -> int:
    """Resident memory of a process in bytes; 0 if unknown."""
    return _field(Path(f"/proc/{pid}/status"), "VmRSS")


def available() -> float:
    """Free memory of the machine or the container, in bytes."""
    machine = _field(Path("/proc/meminfo"), "MemAvailable") or math.inf
    return min([machine, *(limit - used for limit, used in _containers())])


def total() -> float:
    """Total memory of the machine or the container, in bytes."""
    machine = _field(Path("/proc/meminfo"), "MemTotal") or math.inf
    return min([machine, *(limit for limit, _ in _containers())])


def nearly_out() -> bool:
    """Whether the machine is about to kill processes for lack of memory."""
    return available() < LOW * total() < math.inf


def share(slots: int) -> float:
    """Bytes that each of this many workers may use, by what is free now."""
    return SHARE * available() / slots


def _containers(root: Path = ROOT) -> list[tuple[float, float]]:
    """Limit and use of the process's control group, and of all groups around it, as any of them may be the tightest.

    See cgroups(7) and https://docs.kernel.org/admin-guide/cgroup-v2.html.

    Args:
        root: The folder of `proc` and the mounts of control groups.
    """
    limits = []
    for version, folder in _groups(root):
        limit, used, cached = _FILES[version]
        try:
            numbers = float((folder / limit).read_text()), float((folder / used).read_text())
        except (OSError, ValueError):  # a group without a limit ("max"), or the root
            continue
        limits.append((numbers[0], max(0.0, numbers[1] - _cached(folder, cached))))
    return limits


def _groups(root: Path) -> Iterator[tuple[int, Path]]:
    """The folders of the process's control groups for memory, each with its version, from the innermost outwards."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
        mounts = [line.split() for line in (root / "proc/self/mountinfo").read_text().splitlines()]
    except OSError:
        return
    for line in groups:
        _, controllers, path = line.split(":", 2)
        version = 1 if "memory" in controllers.split(",") else 0 if controllers else 2
        for mounted, at in _mounts(mounts, version):
            top = root / at.lstrip("/")
            inner = (
                path.removeprefix(mounted.rstrip("/")).strip("/") if (path + "/").startswith(mounted.rstrip("/") + "/") else ""
            )
            folder = top / inner if ".." not in inner.split("/") else top
            yield from ((version, group) for group in (folder, *folder.parents) if group.is_relative_to(top))


def _mounts(mounts: list[list[str]], version: int) -> Iterator[tuple[str, str]]:
    """Pairs of a group and its mount point, for a version; for version 1, only those that control memory."""
    for fields in mounts:
        kind, options = (fields[fields.index("-") + 1], fields[-1]) if "-" in fields else ("", "")
        if (version == 2 and kind == "cgroup2") or (version == 1 and kind == "cgroup" and "memory" in options.split(",")):
            yield fields[3], fields[4]


def _cached(group: Path, name: str) -> float:
    """Bytes of a group's use that are inactive file cache."""
    try:
        match = re.search(rf"^{name} (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return float(match[1]) if match else 0.0


def _field(path: Path, name: str) -> int:
    try:
        match = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(match[1]) * 1024 if match else 0
