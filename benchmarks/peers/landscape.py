"""A table as the searches see it: scaled objectives, the nearest unused row, and the hypervolume of rows."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl import front
from lepton_automl.space import Hyperparameter

from .recorded import Row, Table

THRESHOLD = 0.9  # the quantile of the fully trained fresh rows' costs that is the reference point
LEFT_OUT = "left out"  # start of the failure text of a row that the recorder skipped
TRAININGS = 150  # maximum trainings of a search without early stopping
TABLE_SHARE = 0.6  # maximum share of the fresh rows that such a search may use, as every search finds the last rows
Corner = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Landscape:
    """A table with cached values for the searches.

    Args:
        name: The table's name.
        table: The recorded trainings.
    """

    name: str
    table: Table

    @cached_property
    def rows(self) -> dict[int, Row]:
        return {row.id: row for row in self.table.rows}

    @cached_property
    def fresh(self) -> list[Row]:
        """The rows that a search may propose: networks without inherited weights.

        Rows that the recorder skipped because they would have taken too long are excluded, as their scores are unknown.
        """
        return [row for row in self.table.rows if row.parent < 0 and not row.failure.startswith(LEFT_OUT)]

    @property
    def trainings(self) -> int:
        """Number of full trainings in the budget of a search without early stopping."""
        return min(TRAININGS, int(TABLE_SHARE * len(self.fresh)))

    @property
    def budget(self) -> int:
        """The budget of every search, in epochs."""
        return self.trainings * self.table.epochs

    @cached_property
    def corners(self) -> Corner:
        """Ideal and reference point in (cost of the score, logarithm of the latency), which depend only on the table.

        The reference is the 90th percentile of the fully trained fresh rows' costs and their highest latency: with the
        worst cost, a single failed training would stretch the axis until all good networks look alike. The ideal
        only scales the axes, so that each objective's range over the useful rows is one.
        """
        whole = np.array([self._raw(row.final_score, row.latency_ms) for row in self.fresh if self.whole(row)])
        low, high = whole.min(axis=0), whole.max(axis=0)
        return (low[0], low[1]), (float(np.quantile(whole[:, 0], THRESHOLD)), high[1])

    def _raw(self, score: float, latency: float) -> tuple[float, float]:
        return (-score if self.table.direction == "maximize" else score), math.log(latency)

    def whole(self, row: Row) -> bool:
        """Whether a row's training is complete with all measurements."""
        return not row.failure and math.isfinite(row.final_score) and math.isfinite(row.latency_ms)

    def length(self, row: Row) -> int:
        """Number of epochs until a row's training ends, possibly by a failure."""
        return (
            row.epochs
            if self.whole(row)
            else max([n for n, score in enumerate(row.score, 1) if math.isfinite(score)], default=1)
        )

    def seconds(self, row: Row) -> tuple[float, float]:
        """Recorded seconds of cost profiling and of an epoch; for a failed row without them, the medians of the fresh rows."""
        weighing, epoch = row.weighing_seconds, row.epoch_seconds
        usual = self._usual_seconds
        return weighing if math.isfinite(weighing) else usual[0], epoch if math.isfinite(epoch) else usual[1]

    @cached_property
    def _usual_seconds(self) -> tuple[float, float]:
        known = [(row.weighing_seconds, row.epoch_seconds) for row in self.fresh if self.whole(row)]
        weighing, epoch = np.median(np.array(known), axis=0)
        return float(weighing), float(epoch)

    def costs(self, row: Row, epoch: int | None = None) -> tuple[float, float]:
        """Both objectives, to be minimised, scaled so that the ideal point is (0, 0) and the reference point (1, 1).

        Args:
            row: A recorded training.
            epoch: Use the score after this epoch; None for the final score. The cost is NaN if there was no score yet.
        """
        score = row.final_score if epoch is None else row.score[epoch - 1]
        (best, fastest), (threshold, slowest) = self.corners
        cost, latency = self._raw(score, row.latency_ms)
        return (cost - best) / (threshold - best), (latency - fastest) / (slowest - fastest)

    def volume(self, rows: Iterable[int]) -> float:
        """The hypervolume of fully trained rows; a row at the ideal point would give 1."""
        costs = np.array([self.costs(self.rows[row]) for row in rows], dtype=np.float64).reshape(-1, 2)
        return front.hypervolume(costs[front.front(costs)], (1.0, 1.0))

    @cached_property
    def ceiling(self) -> float:
        """The hypervolume of all fresh rows: the maximum for a search without children."""
        return self.volume(row.id for row in self.fresh if self.whole(row))

    def describe(self) -> str:
        """Describe the reference point and the scale."""
        (best, fastest), (threshold, slowest) = self.corners
        sign = -1 if self.table.direction == "maximize" else 1
        return (
            f"{self.name}: {len(self.fresh)} fresh rows and {sum(row.parent >= 0 for row in self.table.rows)} children; "
            f"budget {self.trainings} x {self.table.epochs} epochs; reference point {self.table.metric} "
            f"{sign * threshold:.4g} and {math.exp(slowest):.3g} ms, scale up to {sign * best:.4g} and "
            f"{math.exp(fastest):.3g} ms; all fresh rows dominate {self.ceiling:.4f} of it"
        )

    @cached_property
    def digest(self) -> str:
        """A digest of the table's content."""
        facts = [[row.id, row.parent, dict(row.config), *map(_plain, _figures(row)), row.failure] for row in self.table.rows]
        text = json.dumps([self.name, self.table.direction, self.table.epochs, facts], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _figures(row: Row) -> Sequence[float]:
    return [*row.score, row.final_score, row.epoch_seconds, row.weighing_seconds, row.latency_ms, row.epochs]


def _plain(number: float) -> float | None:
    return round(number, 9) if math.isfinite(number) else None


class Deck:
    """The fresh rows that were not proposed yet; a proposal takes the nearest one.

    The distance is Gower's: the mean over hyperparameters of the absolute difference on the hyperparameter's own scale (logarithmic for
    log hyperparameters), scaled to [0, 1], or of 0 or 1 for a categorical hyperparameter (Gower, A General Coefficient of Similarity,
    1971).
    """

    def __init__(self, landscape: Landscape) -> None:
        self._hyperparameters = dict(landscape.table.space.items())
        self._ids = [row.id for row in landscape.fresh]
        self._number = {row: number for number, row in enumerate(self._ids)}
        self._free = np.ones(len(self._ids), dtype=bool)
        self._places = np.array([self._place(row.config) for row in landscape.fresh])
        self._categorical = np.array([bool(hyperparameter.choices) for hyperparameter in self._hyperparameters.values()])

    def __len__(self) -> int:
        return int(self._free.sum())

    def draw(self, config: Mapping[str, Any]) -> int | None:
        """Take the nearest unused row; None if all were used."""
        row = self.nearest(config)
        if row is not None:
            self.take(row)
        return row

    def nearest(self, config: Mapping[str, Any]) -> int | None:
        """The nearest unused row; None if all were used."""
        left = np.flatnonzero(self._free)
        if not len(left):
            return None
        apart = np.abs(self._places[left] - self._place(config))
        apart[:, self._categorical] = apart[:, self._categorical] > 0
        return self._ids[int(left[np.argmin(apart.sum(axis=1))])]

    def take(self, row: int) -> None:
        """Mark a row as used."""
        self._free[self._number[row]] = False

    def _place(self, config: Mapping[str, Any]) -> NDArray[np.float64]:
        return np.array([_scaled(hyperparameter, config[name]) for name, hyperparameter in self._hyperparameters.items()])


def _scaled(hyperparameter: Hyperparameter, setting: Any) -> float:
    if hyperparameter.choices:
        return float(hyperparameter.choices.index(setting))
    assert hyperparameter.low is not None and hyperparameter.high is not None
    if hyperparameter.log:
        return math.log(setting / hyperparameter.low) / math.log(hyperparameter.high / hyperparameter.low)
    return float((setting - hyperparameter.low) / (hyperparameter.high - hyperparameter.low))
