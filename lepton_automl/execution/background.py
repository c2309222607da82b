"""Requests that workers of this machine handle while others run trials."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from lepton_automl._json import Value
from lepton_automl.jobs import NO_TRIAL, TrialResult
from lepton_automl.request import Request, Response

from .executor import Message, RequestFailed
from .process import Process


class BackgroundRequests:
    """The requests that wait for a worker, and those that workers have."""

    def __init__(self) -> None:
        self.waiting: deque[Request] = deque()

    def hand(self, worker: Process) -> None:
        """Give the next request to a free worker.

        Raises:
            OSError: It is dead.
        """
        worker.request, worker.busy = self.waiting.popleft(), True
        worker.last_message = time.monotonic()
        worker.send(worker.request)

    @staticmethod
    def ends(worker: Process, values: Sequence[Value]) -> list[Message]:
        """How a worker's request ended, by the messages that it sent; empty if it has none, or still works on it."""
        if worker.request is None:
            return []
        for value in values:
            if isinstance(value, Response):
                worker.request, worker.busy = None, False
                return [value]
            if isinstance(value, TrialResult) and value.trial == NO_TRIAL:
                worker.request, worker.busy = None, False
                return [RequestFailed(reason=value.reason)]
        return []

    @staticmethod
    def lost(worker: Process, reason: str) -> list[Message]:
        """That a worker was lost with its request; empty if it had none."""
        return [] if worker.request is None else [RequestFailed(reason=reason)]
