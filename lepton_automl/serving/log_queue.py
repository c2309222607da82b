"""Requests on their way to the log: kept in memory for a moment, and written by a thread."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from .protocols import Answered, NoLog, RequestLog

MOST = 50_000  # requests that wait to be written; beyond, new ones are dropped and counted
AT_ONCE = 5_000  # in one call of the log, so that a slow one is not given minutes of work
logger = logging.getLogger("lepton_automl.serving")


class LogQueue:
    """Takes what was answered in less than a microsecond; the log is called later, in a thread.

    Args:
        log: Receives the requests.
        most: How many may wait.

    Attributes:
        dropped: Requests that were not logged, as too many waited or the log failed.
    """

    def __init__(self, log: RequestLog | None, most: int = MOST) -> None:
        self.log: RequestLog = log or NoLog()
        self.keeps = log is not None and not isinstance(log, NoLog)
        self.dropped = 0
        self._most = most
        self._waiting: deque[Answered] = deque()

    def add(self, answered: Answered) -> None:
        """Keep a request until the next `drain`."""
        if len(self._waiting) < self._most:
            self._waiting.append(answered)
        else:
            self.dropped += 1

    async def drain(self) -> None:
        """Write what waits."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            try:
                await asyncio.to_thread(self.log.write, batch)
            except Exception:
                self.dropped += len(batch)
                logger.exception("The log of requests failed; %d requests are not in it.", len(batch))

    async def close(self) -> None:
        """Write the rest, and close the log."""
        await self.drain()
        try:
            await asyncio.to_thread(self.log.close)
        except Exception:
            logger.exception("The log of requests cannot be closed.")
