"""A thread that looks now and then, and takes only a small share of the time for it."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

EVERY = 0.25  # seconds between looks: four a second at most
SHARE = 0.1  # of the time that looking may take: a long drawing is followed by a long rest, so that the kernel stays free


class Poller:
    """Calls a method until it says that there is nothing more to see, or its object is gone.

    Args:
        poll: A bound method; it says after how many seconds, at least, to call it again, or None. Its object is not kept alive.
        first: Seconds before the first call.
    """

    def __init__(self, poll: Callable[[], float | None], first: float = EVERY) -> None:
        self._poll = weakref.WeakMethod(poll)
        self._first = first
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
                self._thread = threading.Thread(target=self._run, name="lepton-pulse", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Look no more, whoever says `start` thereafter."""
        self._over.set()

    def _run(self) -> None:
        rest: float | None = self._first
        while rest is not None and not self._over.wait(rest):
            poll = self._poll()
            if poll is None:
                return
            began = time.thread_time()
            rest = poll()
            if rest is not None:
                rest = max(rest, (time.thread_time() - began) / SHARE)
            del poll  # nobody else may hold it while this one rests
