"""Expected hypervolume improvement of candidates over a front. Pure functions of rows of costs."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

POINTS = 512  # points in the box (Sobol, 1967); the error of a gain is below 1 % of the box
MARGIN = 0.1  # how far the box extends beyond the best costs, as a share of their span


@dataclass(frozen=True)
class Frontier:
    """The part of a box of costs that no finished model dominates yet.

    Args:
        points: Evenly spread over that part, shape (points, objectives).
        share: Its share of the box, from 0 to 1.
    """

    points: Array
    share: float

    @classmethod
    def of(cls, front: Array, best: Array, worst: Array) -> Frontier:
        """The undominated part of the box from slightly below the best costs to the worst that matter.

        Args:
            front: Costs to be minimised, shape (models, objectives).
            best: The lowest known costs, shape (objectives,).
            worst: Costs at which a model is worthless, shape (objectives,).
        """
        span = np.maximum(worst - best, 1e-9)
        low = best - MARGIN * span
        points = low + _sobol_points(len(best)) * (worst - low)
        if len(front):
            points = points[~(front[:, None, :] <= points[None, :, :]).all(axis=2).any(axis=0)]
        return cls(points, len(points) / POINTS)

    def gains(self, mean: Array, deviation: Array) -> Array:
        """The expected share of the box that each candidate adds, for independent normal costs (Emmerich et al., 2006).

        Args:
            mean: Expected costs, shape (candidates, objectives).
            deviation: Their standard deviations; 0 where a cost is known.

        Returns:
            Shape (candidates,), from 0 to `share`.
        """
        from scipy.special import ndtr

        if not len(self.points):
            return np.zeros(len(mean))
        reach = ndtr((self.points[None] - mean[:, None]) / np.maximum(deviation[:, None], 1e-9)).prod(axis=2)
        return np.asarray(reach.mean(axis=1) * self.share, dtype=np.float64)


@functools.cache
def _sobol_points(objectives: int) -> Array:
    from scipy.stats import qmc  # a second to import, which the first trials do without

    return np.asarray(qmc.Sobol(objectives, seed=0).random(POINTS), dtype=np.float64)
