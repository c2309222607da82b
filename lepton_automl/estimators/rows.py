"""The rows of a fit, in an order that does not depend on the order in which they are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lepton_automl.errors import DataError

TARGET, WEIGHT = "target", "sample_weight"


def training_table(x: pd.DataFrame, y: NDArray[Any], weights: NDArray[np.float64] | None) -> pd.DataFrame:
    """One table of columns, target and weights, with equal rows merged into one that has the sum of their weights.

    A row of weight 2 is the same as two rows, and the order of the rows does not matter: scikit-learn requires both. Two equal
    rows, one to learn from and one to be scored on, would flatter the score besides.

    Args:
        x: The columns, [N, F].
        y: The targets, [N].
        weights: The weights of the rows, [N], not negative; None if all count alike.

    Raises:
        DataError: All weights are zero.
    """
    weights = np.ones(len(x)) if weights is None else weights
    kept = weights > 0
    if not kept.any():
        raise DataError("all sample weights are zero", where="sample_weight", fix="Give some rows a weight above 0.")
    table = x[kept].reset_index(drop=True).assign(**{TARGET: y[kept]})
    keys = pd.util.hash_pandas_object(table, index=False).to_numpy()
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    merged = np.bincount(group, weights=weights[kept])
    table = table.iloc[first].reset_index(drop=True)
    if np.ptp(merged) > 1e-9 * merged.max():
        table[WEIGHT] = merged / merged.mean()
    return table


def as_frame(x: Any, columns: list[str]) -> pd.DataFrame:
    """Columns as a DataFrame whose names are texts.

    Args:
        x: A DataFrame or an array [N, F].
        columns: The names.
    """
    frame = x.copy(deep=False) if isinstance(x, pd.DataFrame) else pd.DataFrame(np.asarray(x))
    return frame.set_axis(columns, axis=1)


def paired(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the row of each class that has only one twice, with half of its weight each: one to learn from, one to score.

    Args:
        table: From `training_table`, with classes as targets.
    """
    lone = table[TARGET].map(table[TARGET].value_counts()) == 1
    if not lone.any():
        return table
    weights = table[WEIGHT] if WEIGHT in table else pd.Series(1.0, table.index)
    halved = table.assign(**{WEIGHT: weights.where(~lone, weights / 2)})
    return pd.concat([halved, halved[lone]], ignore_index=True)
