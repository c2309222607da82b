"""What machine this is, and by what clocks it can be read."""

from __future__ import annotations

import functools
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@functools.cache
def describe_host() -> str:
    """The processor, how many of its cores may be used, and the operating system, in one line for people."""
    return f"{_processor()}, {usable_cores()} cores, {platform.system()} {platform.machine()}"


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    if described.exists():
        lines = (line.partition(":") for line in described.read_text(encoding="utf-8", errors="replace").splitlines())
        names = [value.strip() for key, _, value in lines if key.strip() in ("model name", "Hardware")]
        if names:
            return names[0]
    return platform.processor() or platform.machine() or "unknown processor"


@dataclass(frozen=True)
class Clock:
    """A way to tell the time.

    Args:
        name: As `Measurement.clock` says it.
        read: Nanoseconds since some moment.
    """

    name: str
    read: Callable[[], int]


WALL = Clock("wall", time.perf_counter_ns)
THREAD_CPU = Clock("thread_cpu", time.thread_time_ns)


def clock_for(threads: int) -> Clock:
    """The steadiest clock for calls of so many threads.

    The CPU time of the calling thread does not count while others have the core. It knows nothing of a call's other
    threads, though, and adding theirs up would say nothing of how well they share the work: there the wall clock remains.
    """
    return THREAD_CPU if threads == 1 else WALL
