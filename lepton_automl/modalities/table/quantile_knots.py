"""Where the scale of a number bends: fitted on the training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.modalities.table.preprocess.scales import LARGEST, LEAST_GAP, QuantileScale, RobustScale

Array = NDArray[Any]

BY_ROWS, BY_VALUES, LEAVES = 48, 16, 16


def fit_scale(values: Array, targets: Array | None = None) -> QuantileScale:
    """A scale by rank with few knots, where they tell most.

    A column of few values gets a knot for each. Any other gets quantiles of its rows, quantiles of its different values
    (a spike, such as a capital gain of zero, would swallow the former), and the values on both sides of the splits that
    a small decision tree makes of it (the target-aware bins of Gorishniy et al., On Embeddings for Numerical Features,
    NeurIPS 2022): on hypothyroid those alone were worth half a point of accuracy.

    Args:
        values: float64 [N] of training rows, finite.
        targets: What the rows are to predict, class indices int64 [N] or numbers float64 [N]; None where the rows'
            targets must not be looked at.
    """
    values = np.clip(values, -LARGEST, LARGEST)
    different = np.unique(values)
    knots = different
    if len(different) > BY_ROWS + BY_VALUES:
        quantiles = [
            np.quantile(rows, np.linspace(0, 1, count), method="inverted_cdf")
            for rows, count in ((values, BY_ROWS), (different, BY_VALUES))
        ]
        splits = [] if targets is None else [_splits(values, different, targets)]
        knots = np.unique(np.concatenate([*quantiles, *splits]))
    distinct = [knots[0]]
    for knot in knots[1:]:
        if knot - distinct[-1] > LEAST_GAP:
            distinct.append(knot)
    return QuantileScale(distinct)


def fit_robust(values: Array) -> RobustScale:
    """A scale by distance: quartile ranges from the median, standard deviations where the quartiles coincide."""
    values = np.clip(values, -LARGEST, LARGEST)
    low, middle, high = (float(quartile) for quartile in np.quantile(values, [0.25, 0.5, 0.75]))
    with np.errstate(over="ignore"):
        deviation = float(values.std())
    spread = next((width for width in (high - low, deviation) if np.isfinite(width) and width > LEAST_GAP), 1.0)
    return RobustScale(middle, spread)


def _splits(values: Array, different: Array, targets: Array) -> Array:
    """The values next to each threshold of a tree over this column alone."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    kind = DecisionTreeRegressor if targets.dtype.kind == "f" else DecisionTreeClassifier
    tree = kind(max_leaf_nodes=LEAVES, min_samples_leaf=max(4, len(values) // 1000), random_state=0)
    # Trees read float32; ranks fit into it whatever the column's range.
    ranks = np.searchsorted(different, values)
    tree.fit(ranks[:, None], targets)
    thresholds = tree.tree_.threshold[tree.tree_.feature >= 0]
    after = np.clip(np.ceil(thresholds).astype(np.int64), 1, len(different) - 1)
    ends: Array = np.concatenate([different[after - 1], different[after]])
    return ends
