"""Extremely randomised trees, as the search uses them: a number from numbers, with its doubt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

Array = NDArray[np.float64]

LEAF = 2
TREES = 40


class Forest:
    """Predicts a number (Geurts et al., Extremely Randomized Trees, 2006; the doubt as in SMAC, Hutter et al., 2011).

    Args:
        rows: Shape (known, features).
        values: Shape (known,), finite.
        seed: Seeds the trees.
    """

    def __init__(self, rows: Array, values: Array, *, seed: int = 0) -> None:
        self._forest = ExtraTreesRegressor(TREES, min_samples_leaf=LEAF, random_state=seed).fit(rows, values)

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """Mean and deviation over the trees, each of shape (candidates,)."""
        taken = rows.astype(np.float32)  # what the trees themselves take: their checked door costs ten times as much
        told, within = np.empty((2, len(self._forest.estimators_), len(rows)))
        for number, tree in enumerate(self._forest.estimators_):
            leaves = tree.tree_.apply(taken)
            told[number], within[number] = tree.tree_.value[leaves, 0, 0], np.maximum(tree.tree_.impurity[leaves], 0.0)
        return told.mean(axis=0), np.sqrt(told.var(axis=0) + within.mean(axis=0))


def cap(costs: Array | Sequence[float]) -> float:
    """What costs far above most are brought down to: how bad a failure is teaches nothing."""
    middle, high = np.quantile(costs, [0.5, 0.9])
    return float(high + (high - middle))
