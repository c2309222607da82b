"""A thread that polls at intervals and uses only a small share of the CPU time."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

EVERY = 0.25  # seconds between polls, at least
SHARE = 0.1  # of the time that polling may take: a slow poll is followed by a long pause, so that the kernel stays free


class Poller:
    """Calls a method at intervals until it returns None or its object is deleted.

    Args:
        poll: A bound method; returns the minimum seconds until the next call, or None to stop. Its object is not kept alive.
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
        """Whether the thread is running."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread if it is not running."""
        with self._starting:
            if not self.alive:
                self._thread = threading.Thread(target=self._run, name="lepton-poller", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Stop for good; a later `start` has no effect."""
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
            del poll  # keep no strong reference during the pause
