"""A gate between workers of one machine: whoever measures closes it, the others wait at their next batch."""

from __future__ import annotations

import fcntl
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST_WAIT = 1.0  # seconds; a worker that dies while it measures frees the lock anyway


class Gate:
    """A file lock that one worker holds while it measures.

    Args:
        path: The lock file; empty for a gate that is always open.
    """

    def __init__(self, path: str) -> None:
        self._file = os.open(Path(path), os.O_RDWR | os.O_CREAT) if path else None

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def wait(self) -> None:
        """Return at once when nobody measures, else when they are done, after a second at most. Costs 2 microseconds."""
        if self._file is None:
            return
        until = time.monotonic() + LONGEST_WAIT
        while not self._try(fcntl.LOCK_SH) and time.monotonic() < until:
            time.sleep(0.005)
        fcntl.flock(self._file, fcntl.LOCK_UN)

    @contextmanager
    def closed(self, patience: float = math.inf) -> Iterator[None]:
        """Hold the gate: one measurer at a time.

        Args:
            patience: Seconds to wait for another who holds it; after them, go on without.
        """
        if self._file is None:
            yield
            return
        until = time.monotonic() + patience
        while not self._try(fcntl.LOCK_EX) and time.monotonic() < until:
            time.sleep(0.002)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _try(self, mode: int) -> bool:
        assert self._file is not None
        try:
            fcntl.flock(self._file, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
