"""A gate between workers of one machine: whoever measures closes it, the others wait at their next batch."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .locks import is_current, is_stopped, open_lock, take_over, try_lock

ARRIVE = 2.0  # seconds that others get to come to the gate, before a measurement begins
STOPPED = 2.0  # seconds after which the gate is taken from a process that was stopped while it measured
LONGEST = 180.0  # seconds after which it is taken from one that does not let it go
LOOK = 0.5  # seconds between looks whether it is to be taken
STAMP = 64  # bytes that name the holder


class Gate:
    """A file lock that one worker holds while it measures; those who compute have a lock each, which it waits for.

    Args:
        path: The lock file; empty for a gate that is always open.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._file = open_lock(self._path) if path else None
        self._renewed = time.monotonic()
        self._mark: tuple[int, Path] | None = None  # the lock that tells that this one computes
        self._holds = False
        self._seen = (b"", 0.0)  # who holds the gate, and since when that was seen

    def close(self) -> None:
        """Give the files back."""
        self.leave()
        if self._file is not None:
            self.open()
            os.close(self._file)
            self._file = None

    def wait(self) -> None:
        """Return at once when nobody measures, else when they are done. Costs some microseconds.

        From now on a measurement waits until this is called again, or until `leave`.
        """
        if self._file is None or (self._mark is not None and self._is_open()):
            return
        while True:
            self.leave()
            while not self._is_open():
                time.sleep(0.005)
                self._take_from_stopped()
            self._arrive()
            if self._is_open():
                return

    def leave(self) -> None:
        """Nobody needs to wait for this one any more: it does not compute in batches now."""
        if self._mark is not None:
            file, path = self._mark
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(file)
            self._mark = None

    @contextmanager
    def closed(self, patience: float = math.inf) -> Iterator[None]:
        """Hold the gate, once all others have come to it: one measurer at a time.

        Args:
            patience: Seconds to wait for another who holds it; after them, go on without.
        """
        if self._file is None:
            yield
            return
        self.leave()
        until = time.monotonic() + patience
        while not (held := self.try_close()) and time.monotonic() < until:
            time.sleep(0.002)
            self._take_from_stopped()
        if held:
            self._wait_for_others()
        try:
            yield
        finally:
            self.open()

    def try_close(self) -> bool:
        """Hold the gate if nobody does, without waiting for anyone; `open` lets it go."""
        if self._file is None:
            return True
        self._renew()
        if not try_lock(self._file):
            return False
        if not is_current(self._file, self._path):  # taken over just now
            self.open()
            return False
        os.pwrite(self._file, f"{os.getpid()} {uuid.uuid4().hex}".encode().ljust(STAMP), 0)
        self._holds = True
        return True

    def open(self) -> None:
        """Let the gate go; nothing happens if it is not held here."""
        if self._file is not None:
            if self._holds:
                os.pwrite(self._file, bytes(STAMP), 0)
            self._holds = False
            fcntl.flock(self._file, fcntl.LOCK_UN)

    @property
    def holder(self) -> int | None:
        """The process that measures now; None if none does, or if it is just about to."""
        if self._file is None or self._is_open():
            return None
        return _pid(self._stamp())

    # Locks of others

    def _is_open(self) -> bool:
        if time.monotonic() - self._renewed > LOOK:  # seldom: this is asked at every batch
            self._renew()
        assert self._file is not None
        if not try_lock(self._file, fcntl.LOCK_SH):
            return False
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return True

    def _renew(self) -> None:
        """Open the file anew where another was put in its place."""
        assert self._file is not None
        self._renewed = time.monotonic()
        while not is_current(self._file, self._path):
            os.close(self._file)
            self._file = open_lock(self._path)

    def _stamp(self) -> bytes:
        assert self._file is not None
        return os.pread(self._file, STAMP, 0)

    def _take_from_stopped(self) -> None:
        """Put a new gate in the place of one whose holder was stopped, or never lets it go. A dead one's lock is free anyway."""
        assert self._file is not None
        stamp, now = self._stamp(), time.monotonic()
        if stamp != self._seen[0]:
            self._seen = stamp, now
        held = now - self._seen[1]
        if held > LONGEST or (held > STOPPED and is_stopped(_pid(stamp) or 0)):
            take_over(self._path, os.fstat(self._file).st_ino)
            self._seen = b"", now

    def _arrive(self) -> None:
        """Tell whoever will measure that there is someone to wait for."""
        path = self._path.with_name(f"{self._path.name}.{uuid.uuid4().hex}")
        file = open_lock(path)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        try_lock(file)  # nobody can know of it yet
        self._mark = file, path

    def _wait_for_others(self) -> None:
        """Wait until none of those that compute has a batch in hand; who was stopped or died is not waited for."""
        until = time.monotonic() + ARRIVE
        for path in self._path.parent.glob(f"{self._path.name}.*"):
            while not _is_away(path) and time.monotonic() < until:
                time.sleep(0.002)


def _is_away(mark: Path) -> bool:
    """Whether who left a mark does not compute any more; the mark of a dead one is removed."""
    try:
        file = os.open(mark, os.O_RDWR)
    except OSError:
        return True
    try:
        if try_lock(file):
            if os.fstat(file).st_size:  # else it is just being made
                mark.unlink(missing_ok=True)
            return True
        return is_stopped(_pid(os.pread(file, STAMP, 0)) or 0)
    finally:
        os.close(file)


def _pid(stamp: bytes) -> int | None:
    first = stamp.rstrip(b"\0").split()[:1]
    return int(first[0]) if first and first[0].isdigit() else None
