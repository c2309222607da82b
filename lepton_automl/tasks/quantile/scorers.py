"""Scorers of quantile regression."""

from __future__ import annotations

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.metric import Scorer, SummedScore, mean_score


def quantile_scorers(quantiles: tuple[float, ...]) -> dict[str, Scorer]:
    """The scorers of quantiles [N, K].

    Args:
        quantiles: Numbers between 0 and 1, in ascending order.
    """
    levels = np.asarray(quantiles, np.float64)
    middle = int(np.abs(levels - 0.5).argmin())

    def pinball(answers: Array, targets: Array) -> Array:
        shortfall = _shortfall(answers, targets)
        loss: Array = np.maximum(levels * shortfall, (levels - 1) * shortfall).mean(1)
        return loss

    def below(answers: Array, targets: Array) -> Array:
        """Which quantiles the target does not exceed, and a column of ones."""
        return np.concatenate([_shortfall(answers, targets) <= 0, np.ones((len(targets), 1))], 1).astype(np.float64)

    return {
        "pinball": mean_score(pinball),
        "calibration_error": SummedScore(below, lambda sums: float(np.abs(sums[:-1] / sums[-1] - levels).mean())),
        "mae": mean_score(lambda answers, targets: np.abs(_shortfall(answers, targets)[:, middle])),
    }


def _shortfall(answers: Array, targets: Array) -> Array:
    """By how much each quantile falls short of the target, [N, K]; the quantiles of a row are sorted first."""
    return targets.astype(np.float64)[:, None] - np.sort(answers.astype(np.float64), 1)
