"""Scores: how a task declares them, how they are computed, and how much of a score, or of a difference, may be chance.

Most scores are a function of sums over rows, even those that are not means over rows, such as RMSE, F1 or the error rate of a
corpus. Intervals come from a bootstrap of the rows (Efron & Tibshirani, An Introduction to the Bootstrap, 1993): a resample
only sums the rows' statistics again. A score that ranks all rows has no such sums and is computed anew on each resample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Protocol

import numpy as np

from ._json import Value
from .arrays import Array
from .objective import Direction
from .resampled import LEVELS

RESAMPLES = 1000
RANKED_RESAMPLES = 200  # of a score that is computed from all rows together each time
TWO_SIDED = 1.96  # standard errors of a 95 % interval


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A score of a task.

    Args:
        direction: Whether a higher or a lower score is better.
        unit: `"share"` for a number from 0 to 1, `"target"` for one in the target's own unit, `""` for others.
    """

    direction: Direction
    unit: Literal["share", "target", ""] = "share"


class Scorer(Protocol):
    """How a metric is computed."""

    def value(self, answers: Array, targets: Array, weights: Array | None = None) -> float:
        """The score of all rows; NaN if it is undefined.

        Args:
            answers: The task's answers, [N] or [N, ...].
            targets: Targets in their own unit, [N] or [N, ...].
            weights: The weight of each row, [N]; None if all count alike.
        """

    def resampled(self, answers: Array, targets: Array, seed: int = 0) -> Array:
        """The score of each resample of the rows, [resamples]; the same resamples for the same number of rows and seed."""


@dataclass(frozen=True)
class SummedScore:
    """A score of sums over rows.

    Args:
        statistics: Called with answers and targets; returns what is summed, float64 [N, S].
        score: The score of the sums [S]; NaN if it is undefined.
    """

    statistics: Callable[[Array, Array], Array]
    score: Callable[[Array], float]

    def value(self, answers: Array, targets: Array, weights: Array | None = None) -> float:
        """The score of all rows."""
        rows = self.statistics(answers, targets)
        return float(self.score(rows.sum(0) if weights is None else weights.astype(np.float64) @ rows))

    def resampled(self, answers: Array, targets: Array, seed: int = 0) -> Array:
        """The scores of the resamples' sums."""
        rows = self.statistics(answers, targets)
        counts = (np.bincount(drawn, minlength=len(rows)) for drawn in draws(len(rows), RESAMPLES, seed))
        return np.array([self.score(count.astype(np.float64) @ rows) for count in counts])


@dataclass(frozen=True)
class RankedScore:
    """A score that has no sums, such as the area under a curve.

    Args:
        score: The score of answers and targets; NaN if it is undefined.
        of_counts: A faster way for many resamples: called with answers, targets, and how often each resample has each row
            [B, N], it returns their scores [B], NaN where undefined. The weights of rows are such counts. None if there is none;
            weights are then ignored.
    """

    score: Callable[[Array, Array], float]
    of_counts: Callable[[Array, Array, Array], Array] | None = None

    def value(self, answers: Array, targets: Array, weights: Array | None = None) -> float:
        """The score of all rows."""
        if weights is not None and self.of_counts is not None:
            return float(self.of_counts(answers, targets, weights[None])[0])
        return float(self.score(answers, targets))

    def resampled(self, answers: Array, targets: Array, seed: int = 0) -> Array:
        """The score of each resample."""
        resamples = draws(len(targets), RANKED_RESAMPLES, seed)
        return np.array([self.score(answers[drawn], targets[drawn]) for drawn in resamples])


@dataclass(frozen=True, kw_only=True)
class ScoreDifference(Value):
    """A score of two models on the same rows.

    Args:
        first: The score of the first model.
        second: That of the second.
        low: Lower end of the 95 % interval of the second minus the first.
        high: Upper end of it. Where both ends have the same sign, the difference is unlikely to be chance.
    """

    first: float
    second: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """The second minus the first."""
        return self.second - self.first


def mean_score(of_rows: Callable[[Array, Array], Array]) -> SummedScore:
    """The mean over rows of the values that a function returns, [N]."""

    def statistics(answers: Array, targets: Array) -> Array:
        values = of_rows(answers, targets).astype(np.float64)
        return np.stack([values, np.ones_like(values)], 1)

    return SummedScore(statistics, lambda sums: ratio(sums[0], sums[1]))


def ratio(above: float, below: float) -> float:
    """A quotient; NaN if it is undefined."""
    return float(above / below) if below else math.nan


def of_converted(scorers: Mapping[str, SummedScore | RankedScore], convert: Callable[[Array], Array]) -> dict[str, Scorer]:
    """The same scores of answers that are converted first, such as probabilities that are calibrated.

    Args:
        scorers: The scores.
        convert: Called with answers [N] or [N, ...]; returns answers of the same shape. Rows must not depend on each other.
    """

    def converted(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda answers, *rest: function(convert(answers), *rest)

    def of_answers(scorer: SummedScore | RankedScore) -> dict[str, Any]:
        """The fields of a scorer that are called with answers."""
        names = ["statistics"] if isinstance(scorer, SummedScore) else [field.name for field in fields(scorer)]
        return {name: getattr(scorer, name) for name in names if callable(getattr(scorer, name))}

    changes = {
        name: {part: converted(function) for part, function in of_answers(scorer).items()} for name, scorer in scorers.items()
    }
    return {name: replace(scorer, **changes[name]) for name, scorer in scorers.items()}  # type: ignore[arg-type]  # its fields


def values_of(scorers: Mapping[str, Scorer], answers: Array, targets: Array, weights: Array | None = None) -> dict[str, float]:
    """Every score by its name, NaN if it is undefined; rows count by their weights [N], if there are any."""
    return {name: value_of(scorer, answers, targets, weights) for name, scorer in scorers.items()}


def value_of(scorer: Scorer, answers: Array, targets: Array, weights: Array | None = None) -> float:
    """A score; a plug-in's scorer may not know weights, and gets them only if there are any."""
    return scorer.value(answers, targets) if weights is None else scorer.value(answers, targets, weights)


def score_interval(scorer: Scorer, answers: Array, targets: Array) -> tuple[float, float]:
    """The 95 % interval of a score; NaN if it is undefined."""
    return _interval(scorer.resampled(answers, targets))


def score_difference(scorer: Scorer, first: Array, second: Array, targets: Array) -> ScoreDifference:
    """How a score of two models differs on the same rows, by a paired bootstrap: both have the same resamples.

    Args:
        scorer: The score.
        first: The first model's answers.
        second: The second model's.
        targets: The targets of both.
    """
    low, high = _interval(scorer.resampled(second, targets) - scorer.resampled(first, targets))
    return ScoreDifference(first=scorer.value(first, targets), second=scorer.value(second, targets), low=low, high=high)


def share_interval(share: float, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share, from its number of rows (Wilson, Probable Inference, 1927)."""
    square = TWO_SIDED**2 / max(rows, 1)
    middle = (share + square / 2) / (1 + square)
    wide = TWO_SIDED * math.sqrt(max(0.0, share * (1 - share) / max(rows, 1) + square / (4 * max(rows, 1)))) / (1 + square)
    return max(0.0, middle - wide), min(1.0, middle + wide)


def _interval(values: Array) -> tuple[float, float]:
    defined = values[np.isfinite(values)]
    if not len(defined):
        return math.nan, math.nan
    low, high = np.quantile(defined, LEVELS)
    return float(low), float(high)


def draws(rows: int, resamples: int, seed: int) -> Iterator[Array]:
    """The rows of each resample."""
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        yield rng.integers(rows, size=rows)
