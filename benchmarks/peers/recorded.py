"""The interface of a table of recorded trainings for searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from lepton_automl.space import Space


class Row(Protocol):
    """One recorded training."""

    @property
    def id(self) -> int: ...
    @property
    def parent(self) -> int:
        """The row whose weights it inherited; negative for a fresh network."""

    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def score(self) -> Sequence[float]:
        """The validation score after each epoch; NaN before the network has its final shape."""

    @property
    def final_score(self) -> float: ...
    @property
    def epoch_seconds(self) -> float: ...
    @property
    def weighing_seconds(self) -> float: ...
    @property
    def latency_ms(self) -> float: ...
    @property
    def epochs(self) -> int: ...
    @property
    def failure(self) -> str: ...


class Table(Protocol):
    """Recorded trainings of one data set."""

    @property
    def space(self) -> Space: ...
    @property
    def metric(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def epochs(self) -> int:
        """Number of epochs of a fresh network's full training."""

    @property
    def rows(self) -> Sequence[Row]: ...


class Moment(NamedTuple):
    """The end of a trial on the virtual clock.

    Args:
        epochs: Epochs that all workers together had trained by then.
        seconds: Recorded seconds since the start of the search.
        row: The row that is now fully trained; None if the trial was stopped or failed.
    """

    epochs: float
    seconds: float
    row: int | None
