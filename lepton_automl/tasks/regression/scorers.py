"""Scorers of regression."""

from __future__ import annotations

import math

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.metric import Scorer, SummedScore, mean_score, ratio


def number_scorers(mean: float) -> dict[str, Scorer]:
    """The scorers of values [N].

    Definitions are those of scikit-learn, and `r2` is NaN if all targets are equal, with two differences: `mape` leaves out rows
    whose target is zero, for which an error has no percentage; `rmsle` treats answers below zero as zero, and is NaN if a target is
    below zero.

    Args:
        mean: The approximate mean of the targets; sums of squares are taken around it, or they would lose digits.
    """

    def moments(answers: Array, targets: Array) -> Array:
        near = targets.astype(np.float64) - mean
        return np.stack([_error(answers, targets) ** 2, near**2, near, np.ones_like(near)], 1)

    return {
        "rmse": SummedScore(mean_score(_squares).statistics, lambda sums: math.sqrt(ratio(sums[0], sums[1]))),
        "mae": mean_score(lambda answers, targets: np.abs(_error(answers, targets))),
        "r2": SummedScore(moments, _r2),
        "mape": SummedScore(_shares, lambda sums: ratio(sums[0], sums[1])),
        "rmsle": SummedScore(mean_score(_log_squares).statistics, lambda sums: math.sqrt(ratio(sums[0], sums[1]))),
    }


def _error(answers: Array, targets: Array) -> Array:
    return answers.astype(np.float64) - targets


def _squares(answers: Array, targets: Array) -> Array:
    error: Array = _error(answers, targets) ** 2
    return error


def _shares(answers: Array, targets: Array) -> Array:
    """The error as a share of the target, and 1; two zeros if the target is zero."""
    known = targets != 0
    share = np.abs(_error(answers, targets)) / np.where(known, np.abs(targets.astype(np.float64)), 1.0)
    return np.stack([np.where(known, share, 0.0), known.astype(np.float64)], 1)


def _log_squares(answers: Array, targets: Array) -> Array:
    truth = np.where(targets < 0, np.nan, targets).astype(np.float64)
    squares: Array = (np.log1p(np.maximum(answers.astype(np.float64), 0.0)) - np.log1p(truth)) ** 2
    return squares


def _r2(sums: Array) -> float:
    squares, near_squares, near, rows = sums
    spread = near_squares - near**2 / rows if rows else 0.0
    # Equal targets have no spread, apart from rounding errors.
    return 1 - squares / spread if spread > near_squares * np.finfo(np.float64).eps * rows else math.nan
