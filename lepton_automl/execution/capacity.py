"""How many workers a machine can run: by the cores that this process may use, and by its free memory."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lepton_automl import memory
from lepton_automl.measuring.host import usable_cores

VARIABLE = "LEPTON_CORES"  # the number of cores that all studies together may use, if not that of the system
WORKER = 0.6 * 2**30  # bytes of a worker process with its libraries; 0.42 GiB were measured, before any data
IN_MEMORY = 1 << 30  # bytes of one array, above which workers map it and share it
SHARE = 0.8  # of the free memory


def cores() -> int:
    """Number of cores for all studies of this machine: those that this process may run on, within its cgroups' CPU quota."""
    setting = os.environ.get(VARIABLE, "")
    if setting.isdigit() and int(setting) > 0:
        return int(setting)
    return max(1, int(min(usable_cores(), quota())))


def affordable_workers(workers: int, *, threads: int = 1, data: Path | None = None) -> tuple[int, str]:
    """The number of workers that the machine can run, at most the requested number.

    Args:
        workers: The requested number.
        threads: Threads of each worker.
        data: A study's prepared data, which each worker opens.

    Returns:
        The number, at least 1, and the reason if it is below the requested number, else an empty text.
    """
    core_count = cores()
    most = max(1, core_count // threads)
    each = WORKER + (sum(_loaded(data)) if data else 0)
    fit = memory.available() * SHARE / each
    possible = most if math.isinf(fit) else max(1, min(most, int(fit)))
    if workers <= possible:
        return workers, ""
    if possible < most:
        why = f"{memory.available() / 2**30:.1f} GiB of memory are free, and each takes about {each / 2**30:.1f} GiB"
    else:
        why = f"there {'is 1 core' if core_count == 1 else f'are {core_count} cores'}" + (
            f", and each has {threads} threads" * (threads > 1)
        )
    return possible, f"{workers} workers were requested, and {possible} {'is' if possible == 1 else 'are'} used: {why}"


def _loaded(data: Path) -> Iterator[int]:
    """Bytes of each array that a worker reads into its own memory."""
    for file in data.rglob("*.npy"):
        with contextlib.suppress(OSError):
            size = file.stat().st_size
            if size <= IN_MEMORY:
                yield size


def quota(groups: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> float:
    """The CPU quota of this process: the smallest one of all control groups that it is in.

    Args:
        groups: The file that lists its groups, one per line (cgroups(7)).
        mount: Where the groups' folders are mounted.

    Returns:
        A number of cores; infinite if nothing is limited.
    """
    try:
        lines = groups.read_text().splitlines()
    except OSError:  # not Linux
        return math.inf
    limits = [math.inf]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            for root in (mount, mount / "unified"):
                limits += [_quota_v2(folder / "cpu.max") for folder in _with_parents(root, path)]
        elif "cpu" in controllers.split(","):
            for root in {mount / controllers, mount / "cpu"}:
                limits += [_quota_v1(folder) for folder in _with_parents(root, path)]
    return max(min(limits), 1e-3)


def _with_parents(root: Path, path: str) -> Iterator[Path]:
    """A group's folder and those above it; if this container does not see the group, only the root has files."""
    inner = PurePosixPath(path.lstrip("/"))
    yield from (root / part for part in (inner, *inner.parents))


def _quota_v2(file: Path) -> float:
    """The quota in a `cpu.max` of cgroups version 2: `max 100000`, or microseconds per period."""
    try:
        quota, period = file.read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _quota_v1(folder: Path) -> float:
    """The quota of cgroups version 1, where -1 means no limit."""
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        return quota / int((folder / "cpu.cfs_period_us").read_text()) if quota > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
