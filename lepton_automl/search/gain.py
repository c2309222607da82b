"""How much a model would add to a front: the expected gain of hypervolume. Pure functions over rows of costs."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import qmc

Array = NDArray[np.float64]

POINTS = 512  # of the box, spread evenly (Sobol, 1967); the error of a gain is below 1 % of the box
MARGIN = 0.1  # of the span of known costs, by which the box reaches beyond the best


@dataclass(frozen=True)
class Frontier:
    """The part of a box of costs that no finished model reaches yet.

    Args:
        points: Shape (points, objectives): spread evenly over that part.
        share: How much of the box it is.
    """

    points: Array
    share: float

    @classmethod
    def of(cls, front: Array, best: Array, worst: Array) -> Frontier:
        """Of a front, in the box from the best costs (and a little beyond) to the worst that matter.

        Args:
            front: Shape (models, objectives), to be minimised.
            best: Shape (objectives,): the least costs known.
            worst: Shape (objectives,): what costs as much or more is worth nothing.
        """
        span = np.maximum(worst - best, 1e-9)
        low = best - MARGIN * span
        points = low + _sobol_points(len(best)) * (worst - low)
        if len(front):
            points = points[~(front[:, None, :] <= points[None, :, :]).all(axis=2).any(axis=0)]
        return cls(points, len(points) / POINTS)

    def gains(self, mean: Array, deviation: Array) -> Array:
        """The expected share of the box that each candidate would add (Emmerich et al., 2006), for independent normal costs.

        Args:
            mean: Shape (candidates, objectives).
            deviation: Likewise; 0 where a cost is known.

        Returns:
            Shape (candidates,), from 0 to `share`.
        """
        if not len(self.points):
            return np.zeros(len(mean))
        reach = ndtr((self.points[None] - mean[:, None]) / np.maximum(deviation[:, None], 1e-9)).prod(axis=2)
        return np.asarray(reach.mean(axis=1) * self.share, dtype=np.float64)


@functools.cache
def _sobol_points(objectives: int) -> Array:
    return np.asarray(qmc.Sobol(objectives, seed=0).random(POINTS), dtype=np.float64)
