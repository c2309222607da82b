"""Extremely randomised trees as a regressor with an uncertainty estimate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAF = 2
TREES = 40


class Forest:
    """Predicts a number and its deviation (Geurts et al., Extremely Randomized Trees, 2006; SMAC, Hutter et al., 2011).

    Args:
        rows: Shape (known, features).
        values: Shape (known,), finite.
        seed: Seeds the trees.
    """

    def __init__(self, rows: Array, values: Array, *, seed: int = 0) -> None:
        from sklearn.ensemble import ExtraTreesRegressor  # a second to import, which the first trials do without

        self._forest = ExtraTreesRegressor(TREES, min_samples_leaf=LEAF, random_state=seed).fit(rows, values)

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation over the trees, each of shape (candidates,)."""
        inputs = rows.astype(np.float32)  # as the trees take it; sklearn's checked predict() costs ten times as much
        means, variances = np.empty((2, len(self._forest.estimators_), len(rows)))
        for number, tree in enumerate(self._forest.estimators_):
            leaves = tree.tree_.apply(inputs)
            means[number], variances[number] = tree.tree_.value[leaves, 0, 0], np.maximum(tree.tree_.impurity[leaves], 0.0)
        return means.mean(axis=0), np.sqrt(means.var(axis=0) + variances.mean(axis=0))


def cap(costs: Array | Sequence[float]) -> float:
    """The value that outlying costs are clipped to: how bad a failure is carries no information."""
    middle, high = np.quantile(costs, [0.5, 0.9])
    return float(high + (high - middle))
