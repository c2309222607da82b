"""How workers end, in words, and how long they may work on a request."""

from __future__ import annotations

import signal
import time

from .process import Process

ABSENT = 5.0  # seconds without a look, after which silence says nothing: the search itself stood still


class WorkTimer:
    """How long workers have worked on a request: the time in which they had no core, or were held, does not count.

    Args:
        limit: Seconds that they may.
    """

    def __init__(self, limit: float) -> None:
        self._limit, self._spent, self._last = limit, 0.0, time.monotonic()

    def tick(self, worker: Process) -> None:
        """Count the time since the last call; where this process stood still itself, it counts for nothing."""
        now = time.monotonic()
        passed, self._last = now - self._last, now
        if passed > ABSENT:
            worker.last_message = now
        elif not worker.stopped:
            self._spent += passed

    def late(self) -> str:
        """Whether they have worked for too long, in words."""
        return f"it took longer than the {self._limit:.0f} s that it had" if self._spent > self._limit else ""


def fix(worker: Process) -> str:
    """What to do about a worker that does not answer."""
    return f"Look at {worker.path}, fix what blocks it, or allow more time.\n{worker.tail()}"


def exit_reason(code: int) -> str:
    """How a process ended, in words."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def memory_hint(worker: Process, code: int) -> str:
    """What makes it likely that the system ended a worker for its memory."""
    if code != -signal.SIGKILL:
        return ""
    return (
        f"; the machine may have run out of memory: {gib(worker.peak_memory)} were last seen in use"
        if worker.peak_memory
        else ""
    )


def gib(size: float) -> str:
    """A size of memory, in words."""
    return f"{size / 2**30:.2f} GiB"
