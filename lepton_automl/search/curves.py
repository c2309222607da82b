"""Extrapolation of learning curves, learnt from complete ones.

For every complete curve and rung, a forest learns the improvement still to come from the curve so far and the
configuration. That separates a slow learner that still improves from one that has converged (after Baker et al.,
Accelerating Neural Architecture Search using Performance Prediction, 2018; Wistuba and Pedapati, Learning to Rank
Learning Curves, 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .forest import Forest, cap
from .stopping import rungs

Array = NDArray[np.float64]

Curve = Sequence[float]  # the cost after each epoch; NaN if there was none yet
DEVIATION_SCALE = 1.0
LEAST = 4  # complete curves, below which nothing is forecast


class CurveForecaster:
    """Forecasts of final costs.

    Args:
        known: Complete curves: the cost after each epoch, the final cost, and the configuration as numbers.
        seed: Seeds the forest.
    """

    def __init__(self, known: Sequence[tuple[Curve, float, Sequence[float]]], *, seed: int = 0) -> None:
        rows, remaining = [], []
        finals = [final for _, final, _ in known if math.isfinite(final)]
        self._cap = cap(finals) if finals else math.inf
        for curve, final, features in known:
            for epoch in rungs(1, len(curve)):
                known_part = curve_features(curve[:epoch], self._cap)
                if known_part is not None and math.isfinite(final):
                    rows.append([*known_part, *features])
                    remaining.append(known_part[1] - final)
        self._forest = Forest(np.array(rows), np.array(remaining), seed=seed) if rows and len(known) >= LEAST else None

    def forecast(self, curves: Sequence[tuple[Curve, Sequence[float]]]) -> tuple[Array, Array]:
        """Mean and standard deviation of each curve's final cost, shape (curves,); NaN where there is no forecast.

        Args:
            curves: The cost after each epoch so far, and the configuration as numbers.
        """
        mean = np.full(len(curves), math.nan)
        deviation = mean.copy()
        rows = [
            (number, [*known_part, *features])
            for number, (curve, features) in enumerate(curves)
            if (known_part := curve_features(curve, self._cap))
        ]
        if self._forest is not None and rows:
            indices = [number for number, _ in rows]
            table = np.array([row for _, row in rows])
            remaining, deviation[indices] = self._forest.predict(table)
            mean[indices] = table[:, 1] - remaining
            deviation[indices] *= DEVIATION_SCALE
        return mean, deviation


def curve_features(curve: Curve, most: float) -> tuple[float, float, float] | None:
    """The logarithm of the epoch, its cost, and the decrease since half of that epoch; None without a cost.

    Args:
        curve: The cost after each epoch so far.
        most: Higher costs are clipped to this.
    """
    epoch = len(curve)
    if not epoch or not math.isfinite(curve[-1]):
        return None
    now, before = min(curve[-1], most), curve[epoch // 2 - 1] if epoch > 1 else math.nan
    return math.log(epoch), now, min(before, most) - now if math.isfinite(before) else 0.0
