"""Several workers on a virtual clock, training recorded rows."""

from __future__ import annotations

import heapq
from itertools import count
from typing import Literal, Protocol

from .landscape import Landscape
from .recorded import Moment

Status = Literal["complete", "stopped", "failed"]


class Algorithm(Protocol):
    """A search over the table's rows. Latencies are known from the start, scores up to the epoch that a row is trained to."""

    def ask(self) -> int | None:
        """Propose a row that was not proposed before; None to start no more trials."""

    def hear(self, row: int, epoch: int) -> bool:
        """Report a row after an epoch, except the last; returns whether it continues."""

    def end(self, row: int, epoch: int, status: Status) -> None:
        """Report the end of a row's trial."""


def simulate(landscape: Landscape, algorithm: Algorithm, *, workers: int) -> list[Moment]:
    """Run a search until the landscape's budget of epochs is spent or it proposes nothing more.

    A trial takes its recorded seconds of cost profiling, then its recorded seconds per epoch.
    """
    moments: list[Moment] = []
    heap: list[tuple[float, int, int, int]] = []  # time, tie-break, row, epochs done at that time
    order, trained = count(), 0

    def start(now: float) -> None:
        row = algorithm.ask()
        if row is not None:
            heapq.heappush(heap, (now + landscape.seconds(landscape.rows[row])[0], next(order), row, 0))

    for _ in range(workers):
        start(0.0)
    while heap and trained < landscape.budget:
        now, _, row, epoch = heapq.heappop(heap)
        record = landscape.rows[row]
        trained += epoch > 0
        status: Status | None = None
        if epoch >= landscape.length(record):
            status = "complete" if landscape.whole(record) else "failed"
        elif epoch and not algorithm.hear(row, epoch):
            status = "stopped"
        if status is None:
            heapq.heappush(heap, (now + landscape.seconds(record)[1], next(order), row, epoch + 1))
            continue
        algorithm.end(row, epoch, status)
        moments.append(Moment(trained, now, row if status == "complete" else None))
        start(now)
    return moments
