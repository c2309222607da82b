"""Conversion of cells to numbers and days; cells that cannot be read are returned rather than refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.cells import absent_numbers, is_missing, to_day, to_text, to_truth
from lepton_automl.errors import InputError
from lepton_automl.notation import DateNotation, NumberNotation, means_missing

Array = NDArray[Any]


def is_blank(cell: Any, missing: Collection[str] = ()) -> bool:
    """Whether a cell is blank: no value, only white space, or one of the texts that the user declared as missing values."""
    if is_missing(cell) or (isinstance(cell, str) and not cell.strip()):
        return True
    return bool(missing) and to_text(cell) in missing


@dataclass(frozen=True)
class Reader:
    """Reads the cells of one column.

    Args:
        number: How its numbers are written, if not in Python's notation.
        date: How its dates are written, if not in ISO 8601.
        missing: Texts that the user declared as missing values.
        decode_targets: Whether the texts true and false are read as 1 and 0.
    """

    number: NumberNotation | None = None
    date: DateNotation | None = None
    missing: Collection[str] = ()
    decode_targets: bool = False

    def numbers(self, cells: Array) -> tuple[Array, list[Any]]:
        """Numbers, float64 [N], NaN where there is none, infinite ones kept; and the cells that hold something else."""
        if cells.dtype.kind in "mMcV":
            return np.full(len(cells), math.nan), [cell for cell in cells if not is_missing(cell)]
        plain = cells.dtype.kind in "fiub"
        numbers, lost = (cells.astype(np.float64), []) if plain else _each(cells, self._one_number)
        absent = absent_numbers(self.missing)
        return np.where(np.isin(numbers, absent), np.nan, numbers) if absent else numbers, lost

    def days(self, cells: Array) -> tuple[Array, list[Any]]:
        """Days since 1970, float64 [N], NaN where there is none; and the cells that hold something else."""
        if cells.dtype.kind == "M":
            micros = cells.astype("datetime64[us]")
            return np.where(np.isnat(micros), np.nan, micros.astype(np.int64) / 86400e6), []
        return _each(cells, self._one_day)

    def _one_number(self, cell: Any) -> float | None:
        if self.decode_targets:
            cell = to_truth(cell, self.missing)
        try:
            return float(cell) if self.number is None or not isinstance(cell, str) else self.number.read(cell)
        except (TypeError, ValueError, OverflowError):
            return None

    def _one_day(self, cell: Any) -> float | None:
        try:
            return to_day(cell, "", (), self.date)
        except InputError:
            return None


def _each(cells: Array, read: Callable[[Any], float | None]) -> tuple[Array, list[Any]]:
    numbers, lost = np.empty(len(cells)), []
    known: dict[str, float | None] = {}  # dates and categories in text repeat
    for row, cell in enumerate(cells.tolist()):
        if type(cell) is str:
            if cell not in known:
                known[cell] = read(cell)
            value = known[cell]
        else:
            value = read(cell)
        if value is None:
            value = math.nan
            if not is_missing(cell) and not (isinstance(cell, str) and means_missing(cell)):
                lost.append(cell)
        numbers[row] = value
    return numbers, lost
