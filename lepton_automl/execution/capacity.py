"""How many workers a machine bears: by its cores, as far as this process may use them, and by its free memory."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lepton_automl import memory
from lepton_automl.measuring.host import usable_cores

VARIABLE = "LEPTON_CORES"  # how many cores all studies together may use, where that is not what the system says
WORKER = 0.6 * 2**30  # bytes of a worker process with its libraries; 0.42 GiB were seen, before any data
IN_MEMORY = 1 << 30  # bytes of one array, above which workers map it and share it
SHARE = 0.8  # of the memory that is free


def cores() -> int:
    """Cores for all studies of this machine: those that this process may run on, within its control groups' quota of time."""
    setting = os.environ.get(VARIABLE, "")
    if setting.isdigit() and int(setting) > 0:
        return int(setting)
    return max(1, int(min(usable_cores(), quota())))


def bearable(workers: int, *, threads: int = 1, data: Path | None = None) -> tuple[int, str]:
    """How many workers can be had where so many are asked for.

    Args:
        workers: How many are asked for.
        threads: Threads of each.
        data: A study's prepared data, which each of them opens.

    Returns:
        The number, at least 1, and what keeps it from being what was asked; empty where nothing does.
    """
    most, there = max(1, cores() // threads), cores()
    each = WORKER + (sum(_loaded(data)) if data else 0)
    fit = memory.available() * SHARE / each
    held = most if math.isinf(fit) else max(1, min(most, int(fit)))
    if workers <= held:
        return workers, ""
    if held < most:
        why = f"{memory.available() / 2**30:.1f} GiB of memory are free, and each takes about {each / 2**30:.1f} GiB"
    else:
        why = f"there {'is 1 core' if there == 1 else f'are {there} cores'}" + (
            f", and each has {threads} threads" * (threads > 1)
        )
    return held, f"{workers} workers were requested, and {held} {'is' if held == 1 else 'are'} used: {why}"


def _loaded(data: Path) -> Iterator[int]:
    """Bytes of the arrays that a worker reads whole."""
    for file in data.rglob("*.npy"):
        with contextlib.suppress(OSError):
            size = file.stat().st_size
            if size <= IN_MEMORY:
                yield size


def quota(groups: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> float:
    """Cores' worth of time that the control groups of this process grant it, the tightest of all that it stands in.

    Args:
        groups: What groups it is in, a line each (cgroups(7)).
        mount: Where the groups' folders are found.

    Returns:
        Cores; infinite where nothing is limited.
    """
    try:
        lines = groups.read_text().splitlines()
    except OSError:  # another system
        return math.inf
    limits = [math.inf]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            for root in (mount, mount / "unified"):
                limits += [_newer(folder / "cpu.max") for folder in _up(root, path)]
        elif "cpu" in controllers.split(","):
            for root in {mount / controllers, mount / "cpu"}:
                limits += [_older(folder) for folder in _up(root, path)]
    return max(min(limits), 1e-3)


def _up(root: Path, path: str) -> Iterator[Path]:
    """A group's folder and those above it; a group that is not seen from this container leaves the root alone."""
    inner = PurePosixPath(path.lstrip("/"))
    yield from (root / part for part in (inner, *inner.parents))


def _newer(file: Path) -> float:
    """The quota in a `cpu.max` of version 2: `max 100000`, or microseconds in a period."""
    try:
        quota, period = file.read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _older(folder: Path) -> float:
    """The same of version 1, where -1 is no limit."""
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        return quota / int((folder / "cpu.cfs_period_us").read_text()) if quota > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
