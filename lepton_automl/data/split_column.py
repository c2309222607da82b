"""A table column that assigns each row to a split."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import DataError

from .reader import is_blank
from .splits import OPEN, TEST, TRAIN, VALIDATION

NAMES = ("split", "fold", "subset", "partition", "set")
ROLE_NAMES = {"train": TRAIN, "training": TRAIN, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "dev": VALIDATION, "test": TEST, "testing": TEST}  # fmt: skip


def find_split_column(frame: Any, reserved: Collection[str | None], notes: list[str]) -> str | None:
    """The column with a usual name that contains only names of splits, at least two of them; None if there is none.

    Args:
        frame: The table.
        reserved: Columns that already have another use.
        notes: A note on the column is appended.
    """
    for column in frame.columns:
        if str(column).strip().lower() in NAMES and column not in reserved:
            cells = {str(cell).strip().lower() for cell in frame[column].dropna().unique()}
            if len(cells) > 1 and cells <= set(ROLE_NAMES):
                notes.append(f"{column!r} assigns rows to {', '.join(sorted(cells))}")
                return str(column)
    return None


def split_roles(cells: Collection[Any], column: str, source: str) -> NDArray[np.int8]:
    """The role that each cell names, int8 [N]; OPEN where it is blank.

    Args:
        cells: The column's cells.
        column: The column's name.
        source: The table, for messages.

    Raises:
        DataError: A cell does not name a split.
    """
    roles = np.full(len(cells), OPEN, np.int8)
    for row, cell in enumerate(cells):
        if is_blank(cell):
            continue
        role = ROLE_NAMES.get(str(cell).strip().lower())
        if role is None:
            fix = "Use train, validation and test; or set split_column='' to ignore it."
            raise DataError(f"{column!r} has {cell!r} in row {row}, which is not a split", where=source, fix=fix)
        roles[row] = role
    return roles
