"""What machine this is, and by what clocks it can be read."""

from __future__ import annotations

import functools
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lepton_automl.errors import LeptonError
from lepton_automl.specs import Device


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


def core_wait_ns() -> int:
    """Nanoseconds for which threads of this process were ready and had no core, by the kernel's count.

    It is the second number of Linux's `schedstat` (kernel documentation, "Scheduler Statistics"); 0 where there is none.
    """
    tasks = Path("/proc/self/task")
    try:
        return sum(int((task / "schedstat").read_bytes().split()[1]) for task in tasks.iterdir())
    except OSError:  # another system, or a thread that has just ended
        return 0


@dataclass(frozen=True)
class Clock:
    """A way to tell the time.

    Args:
        name: As `Measurement.clock` says it.
        read: Nanoseconds since some moment.
        settle: Waits until all that was begun is done; None where a call that returns has done its work.
    """

    name: str
    read: Callable[[], int]
    settle: Callable[[], object] | None = None

    def settled(self, call: Callable[[], object]) -> Callable[[], object]:
        """The call, to the moment when its work is done."""
        settle = self.settle
        if settle is None:
            return call

        def whole() -> None:
            call()
            settle()

        return whole


WALL = Clock("wall", time.perf_counter_ns)
THREAD_CPU = Clock("thread_cpu", time.thread_time_ns)


def clock_for(threads: int, device: Device = "cpu") -> Clock:
    """The steadiest clock for calls of so many threads on a device.

    The CPU time of the calling thread does not count while others have the core. It knows nothing of a call's other
    threads, though, and adding theirs up would say nothing of how well they share the work: there the wall clock remains.
    A GPU is read by its own events.

    Raises:
        LeptonError: There is no such device here.
    """
    if device == "cuda":
        return _device_clock()
    return THREAD_CPU if threads == 1 else WALL


def _device_clock() -> Clock:
    """The GPU's own time between two events on its current stream (CUDA C++ programming guide, "Events").

    Elapsed times are float32 milliseconds, so they are taken from reading to reading and added up: one that is counted
    from the start of the process would have lost its microseconds after a few minutes.
    """
    import torch

    if not torch.cuda.is_available():
        raise LeptonError("there is no CUDA device here", where="device", fix="Measure on the machine that has it.")

    def event() -> torch.cuda.Event:
        made = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch ships it untyped
        made.record()
        return made

    last, passed = event(), 0.0

    def read() -> int:
        nonlocal last, passed
        now = event()
        now.synchronize()
        passed += 1e6 * float(last.elapsed_time(now))
        last = now
        return round(passed)

    return Clock("device", read, torch.cuda.synchronize)
