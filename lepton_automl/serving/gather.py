"""Requests that arrive at the same moment, answered by one call of the network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from .protocols import Columns, Row
from .served_model import Prepared, ServedModel

LOOKS = 1  # further looks at the connections, a few microseconds each
Answer = asyncio.Future[Columns | None]


class Gatherer:
    """Answers requests to quick models on the event loop, those together that it has received at once.

    Nothing is waited for: the call is made as soon as the loop has looked at every connection that had something to say. It
    looks again if more requests are in progress than wait here, as these are arriving just now.

    Args:
        requests: Returns the number of requests in progress.
    """

    def __init__(self, requests: Callable[[], int]) -> None:
        self._requests = requests
        self._waiting: list[tuple[ServedModel, Prepared, Answer]] = []
        self._looks = 0

    def answer(self, model: ServedModel, rows: Sequence[Row], params: Mapping[str, Any]) -> Answer:
        """The columns of an answer; None if the model is in use by a thread.

        Args:
            model: The version that answers.
            rows: Cells by column.
            params: Parameters of the request.

        Raises:
            ValueError: A row does not fit the model, or a parameter is wrong.
        """
        prepared = model.prepared(rows, params)
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        if not self._waiting:
            self._looks = LOOKS
            loop.call_soon(self._flush)
        self._waiting.append((model, prepared, answer))
        return answer

    def _flush(self) -> None:
        if self._looks and len(self._waiting) < self._requests():
            self._looks -= 1
            asyncio.get_running_loop().call_soon(self._flush)
            return
        waiting, self._waiting = self._waiting, []
        for (model, _), group in groupby(waiting, key=lambda one: (one[0], one[1].shape)):
            batch = list(group)
            try:
                found = model.answers([prepared for _, prepared, _ in batch], wait=False)
            except Exception as error:
                found = [error] * len(batch)
            for (_, _, answer), result in zip(batch, found or [None] * len(batch), strict=True):
                if answer.done():  # its client is gone
                    continue
                if isinstance(result, Exception):
                    answer.set_exception(result)
                else:
                    answer.set_result(result)
