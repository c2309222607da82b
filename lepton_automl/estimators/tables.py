"""Rows that are not yet what scikit-learn checks: tables of other libraries, datasets and queries."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lepton_automl.data.sources import read_source
from lepton_automl.errors import DataError
from lepton_automl.source import Items, ReadRequest

PLAIN = (str, Path, list, tuple, np.ndarray, pd.DataFrame)  # checked by scikit-learn as it is


def as_rows(x: Any) -> Any:
    """Rows in a form that scikit-learn checks: a DataFrame, or what it can convert to an array.

    Args:
        x: Anything. Tables of polars, Arrow and DuckDB, dicts of columns, Hugging Face and PyTorch datasets, and queries become
            DataFrames or arrays; what `AutoML.fit` does not know either stays as it is.

    Raises:
        DataError: It cannot be read, or its examples are no rows of a table.
    """
    if isinstance(x, PLAIN):
        return x
    if isinstance(x, Mapping) and all(np.ndim(column) == 1 for column in x.values()):
        return pd.DataFrame(dict(x))
    with tempfile.TemporaryDirectory(prefix="lepton-") as folder:
        rows = read_source(x, ReadRequest(folder=Path(folder), labelled=False))
    if isinstance(rows, Items):
        fix = "Pass them to AutoML().fit(...), which takes images as well."
        raise DataError("the examples are files or pictures, and an estimator takes rows of a table", where="X", fix=fix)
    return rows


def check_single_labels(y: Any, *, numbers: bool) -> None:
    """Check that there is one target per row, as scikit-learn's scores need it.

    Raises:
        ValueError: There are several columns.
    """
    columns = np.asarray(y)
    if columns.ndim != 2 or columns.shape[1] < 2:
        return
    what = f"y should be a 1d array; it has the shape {columns.shape}"  # the first words are scikit-learn's
    if not numbers and np.isin(columns, (0, 1)).all() and (columns.sum(1) == 1).all():
        raise ValueError(f"{what}: one-hot rows. Pass np.argmax(y, axis=1): its scores and splits need one class per row.")
    raise ValueError(f"{what}. Pass one column; AutoML().fit(...) takes several labels per row.")
