"""What other parts offer to the server: a log of requests, a store of feedback, an explainer. And the values they receive."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Row = Mapping[str, Any]
Columns = Mapping[str, Sequence[Any]]


class Answered(NamedTuple):
    """One answered request. It is a plain tuple with names, as one is made for every request.

    Args:
        id: The prediction id.
        at: When the request arrived, in seconds since 1970.
        caller: The id of the key that asked.
        model: The model's name.
        version: The version that answered.
        rows: The rows of the request, as they were sent; not to be changed.
        answers: The columns of the answer, one value for each row.
        seconds: From the request's headers to its answer.
    """

    id: str
    at: float
    caller: str
    model: str
    version: str
    rows: Sequence[Row]
    answers: Columns
    seconds: float


class RequestLog(Protocol):
    """Receives what was asked and answered. It is called in a thread of its own, never while a request waits."""

    def write(self, answered: Sequence[Answered]) -> None:
        """Take the requests since the last call, oldest first; what it raises is counted and reported, and loses these only."""

    def close(self) -> None:
        """Take note that no more will come."""


class NoLog:
    """A log that keeps nothing."""

    def write(self, answered: Sequence[Answered]) -> None:
        """Ignore the requests."""

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """What turned out to be true about one predicted row.

    Args:
        id: The prediction id, which was checked: the server issued it, to this caller.
        row: The index of the row in its request.
        truth: The true label or number, as it was sent.
        caller: The id of the key that sent it.
        predicted_at: When the prediction was made, in seconds since 1970.
        at: When the feedback arrived.
    """

    id: str
    row: int
    truth: Any
    caller: str
    predicted_at: float
    at: float


class FeedbackSink(Protocol):
    """Receives feedback."""

    def receive(self, feedback: Sequence[Feedback]) -> Sequence[str]:
        """Take feedback; called in a thread.

        Returns:
            For each, why it was refused; an empty text where it was accepted.
        """


class MemoryFeedback:
    """Keeps the first feedback about each row in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, int], Feedback] = {}
        self._lock = threading.Lock()

    def receive(self, feedback: Sequence[Feedback]) -> Sequence[str]:
        """Take feedback about rows that have none yet."""
        with self._lock:
            return [self._keep(one) for one in feedback]

    def _keep(self, one: Feedback) -> str:
        if (one.id, one.row) in self.kept:
            return "there is feedback about this row already"
        self.kept[one.id, one.row] = one
        return ""


class Explainer(Protocol):
    """Explains predictions."""

    def explain(self, model: str, version: str, rows: Sequence[Row], params: Mapping[str, Any]) -> Any:
        """Contributions to the prediction of each row, as JSON; called in a thread.

        Raises:
            ValueError: The rows or the parameters do not fit the model.
        """
