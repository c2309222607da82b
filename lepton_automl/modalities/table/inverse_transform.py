"""Stored rows as a person would know them: cells in their own units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.cells import EPOCH
from lepton_automl.modalities.table.preprocess.columns import CategoryColumn, NumberColumn, TimeColumn
from lepton_automl.modalities.table.preprocess.rows import TablePreprocess
from lepton_automl.modalities.table.preprocess.scales import RobustScale

Array = NDArray[Any]
NEAR = 2.9  # of 3: beyond, distances are clipped too hard to be undone


def original_rows(preprocess: TablePreprocess, inputs: Mapping[str, Array], rows: Sequence[int]) -> list[dict[str, Any]]:
    """Some rows of a table, in the units that the person gave them.

    What was scaled is scaled back, to six digits; whole numbers come back whole. What the training rows made one (rare and
    unknown categories, missing cells) stays one: None.

    Args:
        preprocess: What the rows went through.
        inputs: The stored rows.
        rows: Their places.
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
        elif isinstance(column, TimeColumn):
            columns[column.name] = [_moment(column, features, at) for at in range(len(rows))]
        else:
            columns[column.name] = [_number(column, features, at) for at in range(len(rows))]
    return [{name: cells[at] for name, cells in columns.items()} for at in range(len(rows))]


def _category(column: CategoryColumn, code: int) -> str | None:
    return column.categories[code - 1] if code else None


def _number(column: NumberColumn, features: dict[str, Array], at: int) -> float | None:
    first, far = (float(features[name][at]) for name in column.features[:2])
    if column.flag and features[column.features[2]][at] > 0:
        return None
    value = _undone(column.robust, far) if abs(far) < NEAR else _between(column.scale.knots, first)
    whole = all(knot == int(knot) for knot in column.scale.knots)
    return float(round(value)) if whole else float(f"{value:.6g}")


def _undone(scale: RobustScale, far: float) -> float:
    """The number that a smoothly clipped distance came from."""
    return scale.middle + scale.spread * far / float(np.sqrt(1.0 - (far / 3.0) ** 2))


def _between(knots: list[float], height: float) -> float:
    """The number that a rank came from; what lay outside the training rows comes back as their end."""
    return float(np.interp(height, np.linspace(-1.0, 1.0, len(knots)), knots)) if len(knots) > 1 else knots[0]


def _moment(column: TimeColumn, features: dict[str, Array], at: int) -> str | None:
    if column.flag and features[column.features[-1]][at] > 0:
        return None
    days = _between(column.scale.knots, float(features[column.features[0]][at]))
    moment: datetime = EPOCH + timedelta(days=days)
    return moment.isoformat(sep=" ", timespec="minutes").removesuffix(" 00:00")
