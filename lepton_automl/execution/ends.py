"""Messages about how workers end, and the time limit of a request."""

from __future__ import annotations

import signal
import time

from lepton_automl.errors import StudyError

from .process import Process

MAX_FAILED_STARTS = 3  # workers in a row that die before their first message
ABSENT = 5.0  # seconds without a check after which silence means nothing: the search itself was suspended


class WorkTimer:
    """Measures how long workers work on a request.

    Time in which they have no core, are held, or wait for another process to finish a measurement does not count.

    Args:
        limit: Maximum seconds.
    """

    def __init__(self, limit: float) -> None:
        self._limit, self._spent, self._last = limit, 0.0, time.monotonic()

    def tick(self, worker: Process) -> None:
        """Count the time since the last call, unless this process itself was suspended."""
        now = time.monotonic()
        passed, self._last = now - self._last, now
        if passed > ABSENT:
            worker.last_message = now
        elif not (worker.stopped or worker.waits):
            self._spent += passed

    def late(self) -> str:
        """A message if they have worked for too long; empty if not."""
        return f"it took longer than the {self._limit:.0f} s that it had" if self._spent > self._limit else ""


def fix(worker: Process) -> str:
    """What to do about a worker that does not respond."""
    return f"Look at {worker.path}, fix what blocks it, or allow more time.\n{worker.tail()}"


def check_starts(failed: int, worker: Process, code: int) -> None:
    """Give up if too many workers in a row have died before their first message.

    Raises:
        StudyError: They have.
    """
    if failed >= MAX_FAILED_STARTS:
        what = f"worker processes fail at their start ({exit_reason(code)}), {MAX_FAILED_STARTS} in a row"
        fix = f"Fix the error in their log below, then resume the study; nothing is lost.\n{worker.tail()}"
        raise StudyError(what, where=str(worker.path), fix=fix)


def exit_reason(code: int) -> str:
    """How a process ended: the name of its signal, or its exit code."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def memory_hint(worker: Process, code: int) -> str:
    """A hint that the system may have killed a worker for its memory; empty if it ended in another way."""
    if code != -signal.SIGKILL:
        return ""
    return (
        f"; the machine may have run out of memory: the worker was seen using {gib(worker.peak_memory)}"
        if worker.peak_memory
        else ""
    )


def gib(size: float) -> str:
    """A size of memory as text, in GiB."""
    return f"{size / 2**30:.2f} GiB"
