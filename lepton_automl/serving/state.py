"""What a server serves, to whom, and what it does in the background."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from lepton_automl.monitoring.ids import PredictionIds

from .catalogue import Catalogue
from .exchange import Bodies
from .keys import KeyRing
from .limits import Limits
from .log_queue import LogQueue
from .metrics import Metrics
from .protocols import Explainer, FeedbackSink, RequestLog

DRAIN_SECONDS, KEYS_SECONDS = 0.5, 2.0  # between two calls of the log, and two looks at the keys
logger = logging.getLogger("lepton_automl.serving")


class ServerState:
    """What a server serves, to whom, and what it does in the background.

    Args:
        catalogue: The models.
        keys: Who may ask.
        ids: Makes the ids of predictions.
        limits: On everything that arrives.
        log: Receives what was asked and answered.
        feedback: Receives what turned out to be true; None refuses it.
        explainer: Explains predictions; None refuses to.

    Attributes:
        draining: Whether the server is about to end: answers close their connections.
        connections: Returns the number of open connections.
        requests: Returns the number of requests in progress, those among them that have only just arrived.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        keys: KeyRing,
        ids: PredictionIds,
        limits: Limits,
        *,
        log: RequestLog | None = None,
        feedback: FeedbackSink | None = None,
        explainer: Explainer | None = None,
    ) -> None:
        self.catalogue, self.keys, self.ids, self.limits = catalogue, keys, ids, limits
        self.log, self.feedback, self.explainer = LogQueue(log), feedback, explainer
        self.bodies, self.metrics = Bodies(limits.held_bytes), Metrics()
        self.draining = False
        self.started_at = time.time()
        self.connections: Callable[[], int] = lambda: 0
        self.requests: Callable[[], int] = lambda: 1
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, watch_seconds: float) -> None:
        """Open the models, and begin to follow their sources, the keys and the log.

        Args:
            watch_seconds: Between two looks at the sources; 0 to keep what is served now.

        Raises:
            LeptonError: A model cannot be opened.
        """
        await self.catalogue.open()
        if watch_seconds:
            self._tasks.append(asyncio.create_task(self.catalogue.watch(watch_seconds)))
        self._tasks += [asyncio.create_task(self._drain_log()), asyncio.create_task(self._follow_keys())]

    async def close(self) -> None:
        """End what runs in the background, and write the rest of the log."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.log.close()
        self.catalogue.close()

    async def _drain_log(self) -> None:
        while True:
            await asyncio.sleep(DRAIN_SECONDS)
            await self.log.drain()

    async def _follow_keys(self) -> None:
        while True:
            await asyncio.sleep(KEYS_SECONDS)
            try:
                self.keys.refresh()
            except Exception:
                logger.exception("The keys cannot be read; those that were read before stay valid.")
