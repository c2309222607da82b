"""The thread of a model: answers requests that take long, several together if several wait."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from .protocols import Columns, Row
from .refusal import RefusalError
from .served_model import Prepared, ServedModel

Rows = tuple[Sequence[Row], Mapping[str, Any]]
MOST_ROWS = 64  # in one batch of several requests
IDLE = 30.0  # seconds after which an idle thread ends
BUSY = 1.0  # seconds after which a refused client may ask again


class Job:
    """A request that waits for its answer.

    Args:
        model: The version that answers.
        read: Returns the rows and the parameters; called in the thread, as large bodies take long to read.
        until: When nobody waits for the answer any more, in seconds of the monotonic clock.
        loop: The event loop of the request.
    """

    __slots__ = ("answer", "cancelled", "loop", "model", "read", "until")

    def __init__(self, model: ServedModel, read: Callable[[], Rows], until: float, loop: asyncio.AbstractEventLoop) -> None:
        self.model, self.read, self.until, self.loop = model, read, until, loop
        self.answer: asyncio.Future[tuple[Sequence[Row], Columns]] = loop.create_future()
        self.cancelled = False


class Worker:
    """One thread for all versions of a model, and another one for requests of many rows, which give way.

    A request is never delayed to wait for others: what waits when the thread is free is answered together.

    Args:
        name: The model's name.
        waiting: How many requests may wait.
        bulk: Whether this is the worker for requests of many rows.

    Attributes:
        batches: Calls of the network, and
        batched: requests that were answered by them.
    """

    def __init__(self, name: str, waiting: int, *, bulk: bool = False) -> None:
        self.name, self._most = name, waiting
        self._bulk = None if bulk else Worker(name, waiting, bulk=True)
        self._jobs: deque[Job] = deque()
        self._wake = threading.Condition()
        self._alive = False
        self.batches, self.batched = 0, 0

    def __len__(self) -> int:
        return len(self._jobs) + (len(self._bulk) if self._bulk is not None else 0)

    async def answer(self, model: ServedModel, read: Callable[[], Rows], seconds: float) -> tuple[Sequence[Row], Columns]:
        """The rows of a request and the columns of its answer.

        Args:
            model: The version that answers.
            read: As for `Job`.
            seconds: The time that the answer may take.

        Raises:
            RefusalError: Too many requests wait, or the answer took too long.
        """
        if len(self) >= self._most:
            what = f"{self._most} requests wait for this model already"
            raise RefusalError(503, what, where=self.name, fix="Send it again later.", retry_after=BUSY)
        job = Job(model, read, time.monotonic() + seconds, asyncio.get_running_loop())
        self._put(job)
        try:
            return await asyncio.wait_for(job.answer, seconds)
        except TimeoutError:
            what = f"the answer took longer than {seconds:g} seconds"
            raise RefusalError(504, what, where=self.name, fix="Send fewer rows at a time, or ask again later.") from None
        finally:
            job.cancelled = True

    def _put(self, job: Job) -> None:
        with self._wake:
            self._jobs.append(job)
            if not self._alive:
                self._alive = True
                threading.Thread(target=self._run, name=f"lepton-{self.name}", daemon=True).start()
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                if not self._jobs and not self._wake.wait_for(lambda: self._jobs, IDLE):
                    self._alive = False
                    return
                jobs = [self._jobs.popleft() for _ in range(len(self._jobs))]
            self._answer_all(jobs)

    def _answer_all(self, jobs: Sequence[Job]) -> None:
        """Answer jobs in their order; small ones next to each other that fit together are answered together."""
        ready: list[tuple[Job, Sequence[Row], Prepared]] = []
        for job in jobs:
            if job.cancelled or time.monotonic() > job.until:
                continue
            try:
                rows, params = job.read()
                if self._bulk is not None and len(rows) > MOST_ROWS:
                    del rows  # it is read again when it is its turn: rows take many times the memory of a body
                    self._bulk._put(job)  # noqa: SLF001  # of the same class
                    continue
                prepared = job.model.prepared(rows, params)
            except Exception as error:
                _finish(job, error)
                continue
            ready.append((job, rows, prepared))
            if sum(one.rows for *_, one in ready) >= MOST_ROWS:
                self._answer_batches(ready)
                ready = []
        self._answer_batches(ready)

    def _answer_batches(self, ready: Sequence[tuple[Job, Sequence[Row], Prepared]]) -> None:
        for _, group in groupby(ready, key=lambda one: (one[0].model, one[2].shape)):
            batch = list(group)
            try:
                answers = batch[0][0].model.answers([prepared for *_, prepared in batch], bulk=self._bulk is None)
                assert answers is not None  # as it waits for the model
            except Exception as error:
                answers = [error] * len(batch)
            self.batches, self.batched = self.batches + 1, self.batched + len(batch)
            for (job, rows, _), answer in zip(batch, answers, strict=True):
                _finish(job, answer if isinstance(answer, Exception) else (rows, answer))


def _finish(job: Job, result: Exception | tuple[Sequence[Row], Columns]) -> None:
    try:
        job.loop.call_soon_threadsafe(_set, job.answer, result)
    except RuntimeError:  # the loop is closed, so nobody waits
        return


def _set(answer: asyncio.Future[Any], result: Any) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
