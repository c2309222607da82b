"""Stored rows converted back to cells in their original units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.cells import EPOCH
from lepton_automl.modalities.table.preprocess.columns import CategoryColumn, NumberColumn
from lepton_automl.modalities.table.preprocess.rows import TablePreprocess
from lepton_automl.modalities.table.preprocess.scales import RobustScale
from lepton_automl.modalities.table.preprocess.texts import TextColumn
from lepton_automl.modalities.table.preprocess.times import TimeColumn

Array = NDArray[Any]
NEAR = 2.9  # of 3: larger distances are clipped too strongly to be inverted


def original_rows(preprocess: TablePreprocess, inputs: Mapping[str, Array], rows: Sequence[int]) -> list[dict[str, Any]]:
    """Some rows of a table in their original units.

    Scaled values are scaled back, to six digits; columns of integers are rounded to integers. Values that training does not
    distinguish (rare and unknown categories, missing cells) become None, as do texts, of which only their features are stored.

    Args:
        preprocess: The preprocessing of the rows.
        inputs: The stored rows.
        rows: Indices of the rows.
    """
    parts = {name: np.asarray(part)[list(rows)] for name, part in inputs.items()}
    numeric, codes = parts.get("numeric"), parts.get("categorical")
    features = {name: numeric[:, at] for at, name in enumerate(preprocess.features)} if numeric is not None else {}
    columns: dict[str, list[Any]] = {}
    categories = 0
    for column in preprocess.columns:
        if isinstance(column, CategoryColumn):
            assert codes is not None
            columns[column.name] = [_category(column, int(code)) for code in codes[:, categories]]
            categories += 1
        elif isinstance(column, TextColumn):
            columns[column.name] = [None] * len(rows)
        elif isinstance(column, TimeColumn):
            columns[column.name] = [_moment(column, features, at) for at in range(len(rows))]
        else:
            columns[column.name] = [_number(column, features, at) for at in range(len(rows))]
    return [{name: cells[at] for name, cells in columns.items()} for at in range(len(rows))]


def _category(column: CategoryColumn, code: int) -> str | None:
    return column.categories[code - 1] if 0 < code <= len(column.categories) else None


def _number(column: NumberColumn, features: dict[str, Array], at: int) -> float | None:
    first, far = (float(features[name][at]) for name in column.features[:2])
    if column.flag and features[column.features[2]][at] > 0:
        return None
    value = _from_distance(column.robust, far) if abs(far) < NEAR else _from_rank(column.scale.knots, first)
    whole = all(knot == int(knot) for knot in column.scale.knots)
    return float(round(value)) if whole else float(f"{value:.6g}")


def _from_distance(scale: RobustScale, far: float) -> float:
    """The number that a smoothly clipped distance was computed from."""
    return scale.middle + scale.spread * far / float(np.sqrt(1.0 - (far / 3.0) ** 2))


def _from_rank(knots: list[float], height: float) -> float:
    """The number that a rank was computed from; values outside the training range become its nearest end."""
    return float(np.interp(height, np.linspace(-1.0, 1.0, len(knots)), knots)) if len(knots) > 1 else knots[0]


def _moment(column: TimeColumn, features: dict[str, Array], at: int) -> str | None:
    if column.flag and features[column.features[-1]][at] > 0:
        return None
    days = _from_rank(column.scale.knots, float(features[column.features[0]][at]))
    moment: datetime = EPOCH + timedelta(days=days)
    return moment.isoformat(sep=" ", timespec="minutes").removesuffix(" 00:00")
