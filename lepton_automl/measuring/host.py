"""This machine: its description, its cores and its clocks."""

from __future__ import annotations

import functools
import os
import platform
import time
from pathlib import Path

from lepton_automl.device import Clock


@functools.cache
def describe_host() -> str:
    """The processor, its usable cores, and the operating system, in one line."""
    return f"{_processor()}, {usable_cores()} cores, {platform.system()} {platform.machine()}"


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    cpu_file = Path("/proc/cpuinfo")
    if cpu_file.exists():
        lines = (line.partition(":") for line in cpu_file.read_text(encoding="utf-8", errors="replace").splitlines())
        names = [value.strip() for key, _, value in lines if key.strip() in ("model name", "Hardware")]
        if names:
            return names[0]
    return platform.processor() or platform.machine() or "unknown processor"


def core_wait_ns() -> int:
    """Nanoseconds for which threads of this process waited for a core, as the kernel counts them.

    The second number of Linux's `schedstat` (kernel documentation, "Scheduler Statistics"); 0 where there is none.
    """
    tasks = Path("/proc/self/task")
    try:
        return sum(int((task / "schedstat").read_bytes().split()[1]) for task in tasks.iterdir())
    except OSError:  # another system, or a thread that has just ended
        return 0


WALL = Clock("wall", time.perf_counter_ns)
THREAD_CPU = Clock("thread_cpu", time.thread_time_ns)
