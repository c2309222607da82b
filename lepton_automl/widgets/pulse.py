"""A thread that looks now and then, and takes only a small share of the time for it."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

EVERY = 0.25  # seconds between looks: four a second at most
SHARE = 0.1  # of the time that looking may take: a long drawing is followed by a long rest, so that the kernel stays free


class Pulse:
    """Calls a method until it says that there is nothing more to see, or its object is gone.

    Args:
        beat: A bound method; true to be called again. Its object is not kept alive.
        every: Seconds between calls, at least.
    """

    def __init__(self, beat: Callable[[], bool], every: float = EVERY) -> None:
        self._beat = weakref.WeakMethod(beat)
        self._every = every
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @property
    def alive(self) -> bool:
        """Whether it still looks."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to look, where it does not yet."""
        with self._starting:
            if not self.alive:
                self._over.clear()
                self._thread = threading.Thread(target=self._run, name="lepton-pulse", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._over.set()

    def _run(self) -> None:
        took = 0.0
        while not self._over.wait(max(self._every, took / SHARE)):
            beat = self._beat()
            began = time.thread_time()
            if beat is None or not beat():
                return
            took = time.thread_time() - began
            del beat  # nobody else may hold it while this one rests
