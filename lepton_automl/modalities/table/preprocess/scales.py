"""Numbers scaled for a network, fitted on the training rows."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from lepton_automl.arrays import Array

FARTHEST = 1e6  # interquartile ranges; larger distances are scaled to the ends
LEAST_GAP, LARGEST = 1e-300, 1e300  # keep every slope and difference of knots finite


class QuantileScale:
    """A number to [-1, 1]: straight lines between knots fitted on the training rows, flat outside; missing to 0.

    Piecewise-linear rank scaling (as in QuantileTransformer with uniform output, with far fewer knots). One value and
    many values use the same arithmetic, so that a row gives the same bits alone and in a batch, on every machine.

    Args:
        knots: Ascending values, more than `LEAST_GAP` apart; they map to evenly spaced outputs.
    """

    def __init__(self, knots: Sequence[float]) -> None:
        self.knots = [float(knot) for knot in knots]
        self._heights = np.linspace(-1.0, 1.0, len(self.knots)).tolist() if len(self.knots) > 1 else [0.0]
        rises = zip(self.knots, self.knots[1:], self._heights, self._heights[1:], strict=False)
        self._slopes = [(up - low) / (right - left) for left, right, low, up in rises] + [0.0]
        self._arrays = tuple(np.array(part) for part in (self.knots, self._heights, self._slopes))

    def one(self, value: float) -> float:
        """One scaled value."""
        if value != value:  # noqa: PLR0124  # NaN; math.isnan would cost a call in every prediction
            return 0.0
        at = bisect_right(self.knots, value) - 1
        if at < 0:
            return float(self._heights[0])
        if at >= len(self.knots) - 1:
            return float(self._heights[-1])
        return float(self._heights[at] + self._slopes[at] * (value - self.knots[at]))

    def many(self, values: Array) -> Array:
        """float64 [N] to float64 [N]."""
        knots, heights, slopes = self._arrays
        inside = np.clip(values, knots[0], knots[-1])
        at = np.clip(np.searchsorted(knots, inside, side="right") - 1, 0, len(knots) - 1)
        scaled: Array = heights[at] + slopes[at] * (inside - knots[at])
        return np.where(np.isnan(values), 0.0, scaled)


class RobustScale:
    """A number to (-3, 3): its distance from the median in interquartile ranges, smoothly clipped; missing to 0.

    The robust scaling and smooth clipping of RealMLP (Holzmüller et al., Better by Default, NeurIPS 2024). `QuantileScale`
    keeps ranks and this keeps distances: networks for tables benefit from both.

    Args:
        middle: The median of the training rows.
        spread: Their interquartile range, or another number above 0.
    """

    def __init__(self, middle: float, spread: float) -> None:
        self.middle, self.spread = middle, spread

    def one(self, value: float) -> float:
        """One scaled value."""
        if value != value:  # noqa: PLR0124  # NaN
            return 0.0
        far = (value - self.middle) / self.spread
        return 3.0 if far > FARTHEST else -3.0 if far < -FARTHEST else far / math.sqrt(1.0 + (far / 3.0) * (far / 3.0))

    def many(self, values: Array) -> Array:
        """float64 [N] to float64 [N]."""
        far = np.clip((np.nan_to_num(values, nan=self.middle) - self.middle) / self.spread, -FARTHEST, FARTHEST)
        near: Array = far / np.sqrt(1.0 + (far / 3.0) * (far / 3.0))
        return np.where(np.abs(far) == FARTHEST, np.sign(far) * 3.0, near)
