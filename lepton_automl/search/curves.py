"""What learning curves will come to, learnt from those that are known whole.

Of every whole curve it is known, at each rung, how it stood and what was still to come; a forest learns the one from the
other, and from the configuration: a slow learner that still falls is told from one that has come to rest (after Baker et
al., Accelerating Neural Architecture Search using Performance Prediction, 2018; Wistuba and Pedapati, Learning to Rank
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

Curve = Sequence[float]  # a cost after each epoch; NaN where there was none yet
DOUBT = 1.0
LEAST = 4  # whole curves, before which nothing is told


class CurveForecaster:
    """Forecasts of final costs.

    Args:
        known: Whole curves: the cost after each epoch, the final cost, and the configuration as numbers.
        seed: Seeds the forest.
    """

    def __init__(self, known: Sequence[tuple[Curve, float, Sequence[float]]], *, seed: int = 0) -> None:
        rows, left = [], []
        finals = [final for _, final, _ in known if math.isfinite(final)]
        self._cap = cap(finals) if finals else math.inf
        for curve, final, features in known:
            for epoch in rungs(1, len(curve)):
                place = curve_features(curve[:epoch], self._cap)
                if place is not None and math.isfinite(final):
                    rows.append([*place, *features])
                    left.append(place[1] - final)
        self._forest = Forest(np.array(rows), np.array(left), seed=seed) if rows and len(known) >= LEAST else None

    def forecast(self, curves: Sequence[tuple[Curve, Sequence[float]]]) -> tuple[Array, Array]:
        """Mean and deviation of each curve's final cost; NaN where nothing can be told.

        Args:
            curves: The cost after each epoch so far, and the configuration as numbers.
        """
        mean = np.full(len(curves), math.nan)
        deviation = mean.copy()
        rows = [
            (number, [*place, *features])
            for number, (curve, features) in enumerate(curves)
            if (place := curve_features(curve, self._cap))
        ]
        if self._forest is not None and rows:
            where = [number for number, _ in rows]
            table = np.array([row for _, row in rows])
            left, deviation[where] = self._forest.predict(table)
            mean[where] = table[:, 1] - left
            deviation[where] *= DOUBT
        return mean, deviation


def curve_features(curve: Curve, most: float) -> tuple[float, float, float] | None:
    """The logarithm of the epoch, the cost there, and by how much it fell since half of that epoch; None without a cost.

    Args:
        curve: The cost after each epoch so far.
        most: A cost above this counts as this.
    """
    epoch = len(curve)
    if not epoch or not math.isfinite(curve[-1]):
        return None
    now, before = min(curve[-1], most), curve[epoch // 2 - 1] if epoch > 1 else math.nan
    return math.log(epoch), now, min(before, most) - now if math.isfinite(before) else 0.0
