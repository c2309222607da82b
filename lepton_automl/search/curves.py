"""What a learning curve will come to, told by the curves that are known whole. Pure functions.

A linear regression of the final cost on the cost so far, as in the last step of Baker et al. (Accelerating Neural
Architecture Search using Performance Prediction, 2018), drawn towards "it gains what the others gained" while there are
few; its residuals are the doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 4  # whole curves, before which nothing is told
PRIOR = 4.0  # curves that the assumption of equal gains weighs as much as


@dataclass(frozen=True)
class Forecast:
    """A final cost and its doubt, as a normal distribution."""

    mean: float
    deviation: float


def forecast(now: float, pairs: Sequence[tuple[float, float]]) -> Forecast | None:
    """The final cost of a curve.

    Args:
        now: Its cost at some epoch.
        pairs: Of each whole curve its cost at that epoch, and its final one.

    Returns:
        None while too few curves are known.
    """
    known = np.array([pair for pair in pairs if np.isfinite(pair).all()], dtype=np.float64).reshape(-1, 2)
    if len(known) < LEAST or not np.isfinite(now):
        return None
    then, final = known.T
    center, gain = np.median(then), final - then
    spread = then - center
    # Gains by a line through the median: slope 0 is "all gain the same".
    slope = float(spread @ (gain - np.median(gain)) / (spread @ spread * (1 + PRIOR / len(known)) + 1e-12))
    base = float(np.median(gain - slope * spread))
    mean = now + base + slope * (now - center)
    residuals = final - (then + base + slope * spread)
    deviation = float(np.sqrt((residuals @ residuals + 1e-12) / max(1, len(known) - 2)))
    return Forecast(float(mean), deviation)
