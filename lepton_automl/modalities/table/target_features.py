"""Features that are computed from the targets of the training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FOLDS = 5
LEAST_BETWEEN = 1e-3  # share of the variance that differences between levels have at least
MOST_CLASSES = 10  # more classes would need too many features
TAILS = (0.01, 0.99)  # quantiles of a numeric target at which it is clipped: one outlier must not define a category


def columns_of_targets(targets: Array) -> list[Array] | None:
    """One column for a number or two classes, one for each of several classes, float64 [N]; None if there would be too many.

    Args:
        targets: Class indices int64 [N], numbers float64 [N], or zeros and ones [N, K].
    """
    if targets.ndim > 1:
        return [column.astype(np.float64) for column in targets.T] if targets.shape[1] <= MOST_CLASSES else None
    if targets.dtype.kind == "f":
        low, high = np.quantile(targets, TAILS)
        clipped = np.clip(targets, low, high)
        return [clipped] if clipped.std() > 0 else None
    classes = int(targets.max()) + 1
    if classes > MOST_CLASSES:
        return None
    return [(targets == label).astype(np.float64) for label in ([1] if classes == 2 else range(classes))]


def folds_of(rows: int) -> Array:
    """A fold for each row, at random, int64 [rows]."""
    return np.random.default_rng(0).permutation(rows) % FOLDS


def level_means(levels: Array, target: Array, count: int) -> tuple[Array, Array]:
    """The mean target of each level, shrunk towards the mean of all rows, and for each row that of the rows in other folds.

    The shrinkage is that of empirical Bayes (Micci-Barreca, A Preprocessing Scheme for High-Cardinality Categorical Attributes,
    2001): rows / (rows + variance within levels / variance between them).

    Args:
        levels: The level of each row, int64 [N].
        target: Its target, float64 [N].
        count: Number of levels.

    Returns:
        Means [count] and [N], as differences from the mean of all rows.
    """
    centered = target - target.mean()
    fold = folds_of(len(target))
    other = np.zeros(len(target))
    for number in range(FOLDS):
        held = fold == number
        other[held] = _shrunk(levels[~held], centered[~held], count)[levels[held]]
    return _shrunk(levels, centered, count), other


def _shrunk(levels: Array, target: Array, count: int) -> Array:
    rows = np.bincount(levels, minlength=count).astype(np.float64)
    mean = np.bincount(levels, weights=target, minlength=count) / np.maximum(rows, 1.0)
    residuals = float(((target - mean[levels]) ** 2).sum())
    total = float(target.var()) if len(target) else 0.0
    within = residuals / max(len(target) - int((rows > 0).sum()), 1)
    between: float = max(total - within, total * LEAST_BETWEEN, 1e-300)
    return np.asarray(mean * rows / (rows + within / between))
