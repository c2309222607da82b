"""Columns of stored rows, permuted or mixed among the rows: whatever was computed from a column moves together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.modalities.table.preprocess.columns import CategoryColumn, Column


def permuted(
    columns: Sequence[Column], inputs: Mapping[str, Array], chosen: Sequence[int], rng: np.random.Generator
) -> dict[str, Array]:
    """Stored rows in which some columns have the values of another row, the same one for all of these columns.

    Args:
        columns: The columns of the preprocessing.
        inputs: The stored rows.
        chosen: Indices of the columns to permute.
        rng: Draws the permutation.
    """
    order = rng.permutation(len(next(iter(inputs.values()))))
    changed = dict(inputs)
    for name, places in feature_places(columns, chosen).items():
        if places:
            part = inputs[name].copy()
            part[:, places] = inputs[name][:, places][order]
            changed[name] = part
    return changed


def mixed(
    columns: Sequence[Column], inputs: Mapping[str, Array], background: Mapping[str, Array], known: Array, rows: Array
) -> dict[str, Array]:
    """Rows in which some columns are those of one row, and the others those of background rows.

    Args:
        columns: The columns of the preprocessing.
        inputs: The arrays of the row.
        background: The arrays of B background rows.
        known: Which columns are those of the row, bool [M, columns].
        rows: The background row of each mixture, int [M].
    """
    mixtures = {name: part[rows] for name, part in background.items()}
    for column in range(len(columns)):
        for name, places in feature_places(columns, [column]).items():
            if places:
                at = np.ix_(known[:, column], np.array(places))
                mixtures[name][at] = inputs[name][0, places]
    return mixtures


def feature_places(columns: Sequence[Column], chosen: Sequence[int]) -> dict[str, list[int]]:
    """Where the features of some columns are in each input; see `TablePreprocess.features` for their order."""
    wanted, numeric, codes = set(chosen), [], []
    place, plain = 0, sum(column.embedded for column in columns)
    code = 0
    for number, column in enumerate(columns):
        rest = len(column.features) - column.embedded
        if number in wanted:
            numeric += [*range(place, place + column.embedded), *range(plain, plain + rest)]
            codes += [code] * isinstance(column, CategoryColumn)
        place, plain, code = place + column.embedded, plain + rest, code + isinstance(column, CategoryColumn)
    return {"numeric": numeric, "categorical": codes}
