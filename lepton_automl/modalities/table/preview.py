"""Previews of the columns of a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lepton_automl.data.store import PREPROCESS, read_examples
from lepton_automl.modality import ColumnPreview

from .preprocess.columns import CategoryColumn, NumberColumn
from .preprocess.rows import TablePreprocess
from .preprocess.texts import TextColumn


def column_previews(folder: Path) -> tuple[ColumnPreview, ...]:
    """Previews of the columns of a prepared dataset."""
    preprocess = TablePreprocess.from_json(json.loads((folder / PREPROCESS).read_text()))
    first: dict[str, Any] = next(iter(read_examples(folder)), {})
    return tuple(
        ColumnPreview(name=column.name, kind=column.kind, details=_details(column), example=first.get(column.name))
        for column in preprocess.columns
    )


def _details(column: Any) -> str:
    if isinstance(column, CategoryColumn):
        return f"{len(column.categories)} categories{', known by their targets' if column.encoded else ''}"
    if isinstance(column, TextColumn):
        return f"free text, {len(column.terms):,} terms{', some missing' if column.flag else ''}"
    knots = column.scale.knots if isinstance(column, NumberColumn) else []
    ends = [f"{knots[0]:.4g} to {knots[-1]:.4g}"] if knots else []
    return ", ".join([*ends, *(["some missing"] if column.flag else [])])
