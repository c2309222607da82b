"""What a learning curve will come to, told by the curves that are known whole. Pure functions.

A ridge regression of what is still gained on how far a curve has come and how steep it was of late (the features of
Baker et al., Accelerating Neural Architecture Search using Performance Prediction, 2018, at their simplest): drawn towards
"all gain the same" while few curves are known. A slow learner that still falls is told from one that has come to rest. Its
residuals are the doubt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 4  # whole curves, before which nothing is told
PRIOR = 2.0  # curves that the assumption of equal gains weighs as much as


@dataclass(frozen=True)
class Forecast:
    """A final cost and its doubt, as a normal distribution."""

    mean: float
    deviation: float


def forecast(curve: Sequence[float], known: Sequence[tuple[Sequence[float], float]]) -> Forecast | None:
    """The final cost of a curve.

    Args:
        curve: Its cost after each epoch so far; NaN where there was none yet.
        known: Each whole curve, and its final cost.

    Returns:
        None while too few curves are known, or this one has no cost yet.
    """
    epoch = len(curve)
    mine = _stand(curve, epoch)
    rows = [(*stand, final - stand[0]) for one, final in known if (stand := _stand(one, epoch)) and math.isfinite(final)]
    if mine is None or len(rows) < LEAST:
        return None
    table = np.array(rows, dtype=np.float64)
    places, gains = table[:, :2], table[:, 2]
    center, scale = np.median(places, axis=0), np.maximum(places.std(axis=0), 1e-12)
    features = np.column_stack([np.ones(len(table)), (places - center) / scale])
    usual = np.array([np.median(gains), 0.0, 0.0])
    weights = usual + np.linalg.solve(
        features.T @ features + PRIOR * np.diag([0.01, 1.0, 1.0]), features.T @ (gains - features @ usual)
    )
    residuals = gains - features @ weights
    deviation = math.sqrt((residuals @ residuals + 1e-12) / max(1, len(table) - 3))
    at = np.clip((np.array(mine) - center) / scale, -3.0, 3.0)  # no line is believed far from where it was drawn
    return Forecast(float(mine[0] + weights @ np.array([1.0, *at])), deviation)


def _stand(curve: Sequence[float], epoch: int) -> tuple[float, float] | None:
    """The cost at an epoch, and what was gained an epoch since about half of it; None without a cost."""
    if not epoch or len(curve) < epoch or not math.isfinite(curve[epoch - 1]):
        return None
    now, start = curve[epoch - 1], epoch - 1
    while start > max(1, epoch // 2) and math.isfinite(curve[start - 2]):
        start -= 1
    if start == epoch - 1 and (start < 1 or not math.isfinite(curve[start - 1])):
        return now, 0.0
    return now, (now - curve[start - 1]) / (epoch - start)
