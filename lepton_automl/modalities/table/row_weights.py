"""The weights of a table's rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.data.reader import Reader
from lepton_automl.errors import DataError

Array = NDArray[Any]


def row_weights(cells: list[Array], column: str, train: Array) -> Array:
    """The weight of each row, float64 [N]; on average 1 over the training rows.

    Args:
        cells: The cells of the column, of each part of the data.
        column: Its name.
        train: The training rows.

    Raises:
        DataError: A weight is missing, negative or infinite, or those of the training rows are all zero.
    """
    weights = np.concatenate([Reader().numbers(part)[0] for part in cells])
    bad = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if len(bad):
        what = f"{len(bad):,} weights are not numbers of at least 0; the first is that of row {bad[0]}"
        raise DataError(what, where=column, fix="Correct them; 0 leaves a row out of the loss and of scores.")
    total = float(weights[train].sum())
    if not total > 0:
        raise DataError("the weights of the training rows are all zero", where=column, fix="Give some rows a weight.")
    scaled: Array = weights * (len(train) / total)
    return scaled
