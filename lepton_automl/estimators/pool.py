"""Worker processes that are kept between fits, as starting one takes seconds."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

from lepton_automl.execution.executor import Executor, start_executor


class WorkerPool:
    """Executors by their number of workers. Each is used by one fit at a time; those of a forked parent are left alone."""

    def __init__(self) -> None:
        self._lock, self._process = threading.Lock(), 0
        self._free: list[tuple[int, Executor]] = []
        self._root = Path()

    @contextlib.contextmanager
    def executor(self, workers: int) -> Iterator[Executor]:
        """An executor; its workers are stopped while no fit uses them. The folders of its studies must be made by `folder`.

        Args:
            workers: Number of worker processes.
        """
        with self._lock:
            self._open()
            place = next((at for at, (known, _) in enumerate(self._free) if known == workers), None)
            executor = None if place is None else self._free.pop(place)[1]
            root = self._root
        if executor is None:
            executor = start_executor("local", workers, root / "workers", name="estimator")
        executor.request_slots(workers)
        try:
            yield executor
        except BaseException:
            executor.close()  # its workers may be in the middle of something
            raise
        executor.request_slots(0)
        with self._lock:
            self._free.append((workers, executor))

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """A new folder for one study, removed on exit."""
        with self._lock:
            self._open()
            path = self._root / uuid.uuid4().hex
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def _open(self) -> None:
        """Start anew in a process that has not used the pool yet."""
        if self._process != os.getpid():
            self._process, self._free = os.getpid(), []
            self._root = Path(tempfile.mkdtemp(prefix="lepton-estimators-")) / "studies" / "pool"
            self._root.mkdir(parents=True)
            atexit.register(self.close)

    def close(self) -> None:
        """End all idle workers, and remove their files."""
        with self._lock:
            if self._process != os.getpid():
                return
            for _, executor in self._free:
                executor.close()
            self._free, self._process = [], 0
            shutil.rmtree(self._root.parents[1], ignore_errors=True)


POOL = WorkerPool()
