"""A lock between the workers of one machine: while one measures, the others pause (see `pausing_for_measurements`)."""

from __future__ import annotations

import _thread
import contextlib
import fcntl
import math
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from .locks import is_current, is_stopped, open_lock, take_over, try_lock

ARRIVE = 2.0  # seconds that others have to reach the lock before a measurement begins
STOPPED = 2.0  # seconds after which the lock is taken from a process that was stopped, or that has not said that it measures
LONGEST = 180.0  # seconds after which it is taken from a process that does not release it
LOOK = 0.5  # seconds between checks whether the lock file was replaced
STAMP = 64  # bytes that identify the holder
EVERY = 0.05  # seconds between checks whether to pause
SIGNAL = signal.SIGURG  # ignored by default and rarely used

_here = threading.local()  # the measurement locks that are open in a thread
_waiting: list[object] = []  # one for each thread of this process that waits for a measurement


class MeasurementLock:
    """A file lock that one worker holds while it measures, after waiting for the locks of all computing workers.

    Args:
        path: The lock file; empty for a lock that never blocks.

    Attributes:
        waited: Seconds spent in `wait` so far.
    """

    def __init__(self, path: str) -> None:
        self.waited = 0.0
        self._inside = 0  # calls of methods that must not be interrupted by `wait`
        self._path = Path(path)
        self._file = open_lock(self._path) if path else None
        self._renewed = time.monotonic()
        self._mark: tuple[int, Path] | None = None  # the lock that marks this worker as computing
        self._holds = False
        self._seen = (b"", 0.0)  # the holder's stamp, and since when it was seen

    def close(self) -> None:
        """Release everything and close the files."""
        self.leave()
        if self._file is not None:
            self.release()
            os.close(self._file)
            self._file = None

    def wait(self) -> None:
        """Return at once if no other worker measures, else when it is done. Costs some microseconds.

        From now on, measurements wait until this is called again, or until `leave`.
        """
        if self._file is None or self._holds:
            return
        with self._uninterrupted():
            if self._mark is not None and self._is_free():
                return
            began = time.monotonic()
            with _noted_as_waiting():
                while True:
                    self._leave()
                    self._seen = b"", began
                    while not self._is_free():
                        time.sleep(0.005)
                        self._take_from_stopped()
                    self._mark_computing()
                    if self._is_free():
                        break
            self.waited += time.monotonic() - began

    def leave(self) -> None:
        """Mark this worker as not computing: measurements need not wait for it."""
        with self._uninterrupted():
            self._leave()

    def _leave(self) -> None:
        if self._mark is not None:
            file, path = self._mark
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(file)
            self._mark = None

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Within this context, measurements do not wait for this worker, which is waiting itself."""
        computes = self._mark is not None
        self.leave()
        yield
        if computes:
            self.wait()

    @contextmanager
    def held(self, patience: float = math.inf) -> Iterator[None]:
        """Hold the lock, once all others have paused: one worker measures at a time. It may be nested.

        Args:
            patience: Seconds to wait for another holder; after them, continue without the lock.
        """
        if self._file is None or self._holds:
            yield
            return
        with self.idle(), self._uninterrupted():
            until = time.monotonic() + patience
            self._seen = b"", time.monotonic()
            with _noted_as_waiting():
                while not (held := self.try_acquire()) and time.monotonic() < until:
                    time.sleep(0.002)
                    self._take_from_stopped()
            try:
                if held:
                    self._wait_for_others()
                yield
            finally:
                self.release()

    def try_acquire(self) -> bool:
        """Take the lock if it is free, without waiting for others; `release` releases it."""
        if self._file is None:
            return True
        self._renew()
        if not try_lock(self._file):
            return False
        if not is_current(self._file, self._path):  # taken over just now
            self.release()
            return False
        os.pwrite(self._file, f"{os.getpid()} {uuid.uuid4().hex}".encode().ljust(STAMP), 0)
        self._holds = True
        return True

    def release(self) -> None:
        """Release the lock; does nothing if it is not held here."""
        if self._file is not None:
            if self._holds:
                os.pwrite(self._file, bytes(STAMP), 0)
            self._holds = False
            fcntl.flock(self._file, fcntl.LOCK_UN)

    @property
    def holder(self) -> int | None:
        """The id of the process that measures now; None if there is none, or if it is about to begin."""
        if self._file is None or self._is_free():
            return None
        return _pid(self._stamp())

    def should_pause(self, other: MeasurementLock) -> bool:
        """Whether `other`, whose worker computes now, should pause; called from another thread, which needs a lock object of its own."""
        return not other._inside and not other._holds and not self._is_free()

    def pause(self) -> None:
        """Wait like `wait`, wherever the thread is; does nothing within another method."""
        if not self._inside:
            self.wait()

    @contextmanager
    def _uninterrupted(self) -> Iterator[None]:
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    # Locks of others

    def _is_free(self) -> bool:
        if time.monotonic() - self._renewed > LOOK:  # not each time, as this runs at every batch
            self._renew()
        assert self._file is not None
        if not try_lock(self._file, fcntl.LOCK_SH):
            return False
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return True

    def _renew(self) -> None:
        """Reopen the file if it was replaced."""
        assert self._file is not None
        self._renewed = time.monotonic()
        while not is_current(self._file, self._path):
            os.close(self._file)
            self._file = open_lock(self._path)

    def _stamp(self) -> bytes:
        assert self._file is not None
        return os.pread(self._file, STAMP, 0)

    def _take_from_stopped(self) -> None:
        """Replace the lock if its holder was stopped, does not identify itself, or never releases it.

        The lock of a dead process is free anyway.
        """
        assert self._file is not None
        stamp, now = self._stamp(), time.monotonic()
        if stamp != self._seen[0]:
            self._seen = stamp, now
        held = now - self._seen[1]
        holder = _pid(stamp)  # it writes its id at once; others hold the lock for moments only
        if held > LONGEST or (held > STOPPED and (holder is None or is_stopped(holder))):
            take_over(self._path, os.fstat(self._file).st_ino)
            self._seen = b"", now

    def _mark_computing(self) -> None:
        """Mark this worker as computing, so that measurements wait for it."""
        path = self._path.with_name(f"{self._path.name}.{uuid.uuid4().hex}")
        file = open_lock(path)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        try_lock(file)  # no other process can know of it yet
        self._mark = file, path

    def _wait_for_others(self) -> None:
        """Wait until all computing workers have paused, except those that were stopped or died."""
        until = time.monotonic() + ARRIVE
        for path in self._path.parent.glob(f"{self._path.name}.*"):
            while not _is_idle(path) and time.monotonic() < until:
                time.sleep(0.002)


def is_waiting() -> bool:
    """Whether a thread of this process waits for another process to finish a measurement."""
    return bool(_waiting)


@contextmanager
def _noted_as_waiting() -> Iterator[None]:
    mark = object()
    _waiting.append(mark)
    try:
        yield
    finally:
        _waiting.remove(mark)


@contextmanager
def pausing_for_measurements(path: str) -> Iterator[MeasurementLock]:
    """Within this context, the worker pauses while another process measures.

    Training checks the lock at each batch. Everything else (scoring, exporting, error analysis, user code) is interrupted
    between two Python instructions, so that no loop has to check; a long call into a library finishes first. Outside the main
    thread, the only one that can be interrupted, the worker pauses only where it calls `wait`.

    Args:
        path: The lock file; empty for a lock that never blocks. A nested context shares the outer one's lock.
    """
    measurement_locks: dict[str, MeasurementLock] = _here.__dict__.setdefault("gates", {})
    if path in measurement_locks:
        yield measurement_locks[path]
        return
    measurement_lock = measurement_locks[path] = MeasurementLock(path)
    try:
        with _pausing(measurement_lock, path) if path and _can_be_interrupted() else contextlib.nullcontext():
            yield measurement_lock
    finally:
        del measurement_locks[path]
        measurement_lock.close()


def _can_be_interrupted() -> bool:
    return threading.current_thread() is threading.main_thread() and signal.getsignal(SIGNAL) == signal.SIG_DFL


@contextmanager
def _pausing(measurement_lock: MeasurementLock, path: str) -> Iterator[None]:
    """Within this context, the main thread is interrupted and waits whenever another process holds the lock."""
    own, over = MeasurementLock(path), threading.Event()  # two threads must not share one file

    def watch() -> None:
        while not over.wait(EVERY):
            with contextlib.suppress(OSError):
                if own.should_pause(measurement_lock):
                    _thread.interrupt_main(SIGNAL)  # not a real signal, which could make a library call fail

    def pause_main_thread(number: int, frame: FrameType | None) -> None:
        del number, frame
        if not over.is_set():
            with contextlib.suppress(OSError):  # the interrupted code must not see errors of the lock
                measurement_lock.pause()

    thread = threading.Thread(target=watch, name="gate", daemon=True)
    before = signal.signal(SIGNAL, pause_main_thread)
    thread.start()
    try:
        measurement_lock.wait()
        yield
    finally:
        over.set()
        thread.join()
        signal.signal(SIGNAL, before)
        own.close()


def _is_idle(mark: Path) -> bool:
    """Whether the worker of a mark no longer computes; the mark of a dead worker is removed."""
    try:
        file = os.open(mark, os.O_RDWR)
    except OSError:
        return True
    try:
        if try_lock(file):
            if os.fstat(file).st_size:  # else it is just being created
                mark.unlink(missing_ok=True)
            return True
        return is_stopped(_pid(os.pread(file, STAMP, 0)) or 0)
    finally:
        os.close(file)


def _pid(stamp: bytes) -> int | None:
    first = stamp.rstrip(b"\0").split()[:1]
    return int(first[0]) if first and first[0].isdigit() else None
