"""Columns of text become numbers and booleans where every cell is one; all others stay the text that they are."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lepton_automl.cells import PLAIN_NUMBER

Array = NDArray[Any]
Kind = Literal["nothing", "whole", "number", "boolean", "string"]
# Cells of a file that hold no value among numbers and booleans, as pandas has them; among other texts they are texts.
MISSING_TEXTS = frozenset(
    [
        "",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    ]
)
MADE_OF_A_NUMBER, MADE_OF_A_TEXT = 72, 40  # bytes a cell, in all that is made of it until the data are prepared
TRUE, FALSE = ("True", "TRUE", "true"), ("False", "FALSE", "false")
_WHOLE, _NUMBER = set("0123456789+- \n"), set("0123456789+-.eE \n")
_PADDED = re.compile(r"^ *[+-]?0[0-9]+ *$", re.MULTILINE)  # whole numbers with zeros before them, as codes have
_INFINITE = re.compile(r"\s*[+-]?inf(inity)?\s*", re.IGNORECASE)


class TypedColumn:
    """A column that is read some cells at a time; its kind is that which fits all of them.

    Args:
        as_text: Whether it is known to be text.
    """

    def __init__(self, *, as_text: bool = False) -> None:
        self.kind: Kind = "string" if as_text else "nothing"
        self.again = False  # whether earlier cells became numbers, and have to be read again as text
        self._parts: list[Any] = []
        self._missing = False
        self._texts: dict[str, str | None] = {}
        self._bytes, self._cells = 0, 0

    def add(self, cells: Sequence[str]) -> None:
        """Take the next cells."""
        self._cells += len(cells)
        if self.kind != "string":
            kind, part, missing = _typed(cells)
            together = _together(self.kind, kind)
            if together != "string":
                self.kind, self._missing = together, self._missing or missing
                self._parts.append(part)
                return
            self.again = bool(self._parts)
            self.kind, self._parts = "string", []
        if not self.again:
            new = set(cells).difference(self._texts)
            for text in new:
                self._texts[text] = text if text.strip() else None
            self._bytes += sum(map(sys.getsizeof, new))
            self._parts.append([*map(self._texts.__getitem__, cells)])

    @property
    def memory(self) -> int:
        """Bytes that are needed for it until the data are prepared."""
        return self._bytes + self._cells * (MADE_OF_A_TEXT if self.kind == "string" else MADE_OF_A_NUMBER)

    @property
    def blank(self) -> bool:
        """Whether no cell holds anything."""
        return self.kind == "nothing" or (self.kind == "string" and not any(self._texts.values()))

    def values(self) -> Any:
        """All cells: an array of int64, uint64, float64 or bool; of objects for booleans some of which are missing; a list."""
        if self.kind == "string":
            return [cell for part in self._parts for cell in part]
        if not self._parts:
            return np.empty(0, np.float64)
        whole = np.concatenate([np.asarray(part) for part in self._parts])
        if self.kind != "boolean":
            return whole
        if not self._missing:
            return whole.astype(bool)
        return np.array([None if math.isnan(cell) else bool(cell) for cell in whole.tolist()], object)


def _typed(cells: Sequence[str]) -> tuple[Kind, Any, bool]:
    """The kind of some cells, these as an array of numbers (booleans are 1 and 0), and whether any are missing."""
    joined = "\n".join(cells)
    used = set(joined)
    if used <= _NUMBER and not _PADDED.search(joined):
        missing = "" in cells
        try:
            if used <= _WHOLE and not missing:
                return _whole([*map(int, cells)])
            numbers = np.array([float(cell) if cell else math.nan for cell in cells])
            return ("number" if not np.isnan(numbers).all() else "nothing"), numbers, missing
        except ValueError:
            pass  # a blank cell of spaces, or no number
    kinds: dict[str, tuple[Kind, float]] = {}
    together: Kind = "nothing"
    for cell in set(cells):
        kinds[cell] = _kind(cell)
        together = _together(together, kinds[cell][0])
        if together == "string":
            return "string", None, False
    numbers = np.array([kinds[cell][1] for cell in cells])
    missing = any(kind == "nothing" for kind, _ in kinds.values())
    if together == "whole":
        if not missing:
            return _whole([*map(int, cells)])
        together = "number"
    return together, numbers, missing


def _whole(numbers: list[int]) -> tuple[Kind, Any, bool]:
    for dtype in (np.int64, np.uint64):
        try:
            return "whole", np.array(numbers, dtype), False
        except OverflowError:
            continue
    return "string", None, False  # longer than any number of a machine: it is a name


def _kind(cell: str) -> tuple[Kind, float]:
    """The kind of one cell, and its value as a number."""
    bare = cell.strip()
    if bare in MISSING_TEXTS:
        return "nothing", math.nan
    if bare in TRUE or bare in FALSE:
        return "boolean", float(bare in TRUE)
    if _PADDED.match(bare) or not (PLAIN_NUMBER.fullmatch(bare) or _INFINITE.fullmatch(bare)):
        return "string", math.nan
    return ("whole" if bare.lstrip("+-").isdigit() else "number"), float(bare)


def _together(kind: Kind, other: Kind) -> Kind:
    """The kind that two kinds of cells have together."""
    if "nothing" in (kind, other) or kind == other:
        return other if kind == "nothing" else kind
    return "string" if {"string", "boolean"} & {kind, other} else "number"


def retyped(column: Array, rows: Array) -> Array:
    """Text cells of a file as the numbers or booleans that they would be if the file held these rows alone.

    One cell that is no number makes a whole column text; where it stands in a test row, the other rows must not show it.

    Args:
        column: All cells of the column, texts or None.
        rows: The rows that decide.
    """
    deciding = column[rows].tolist()
    if column.dtype.kind != "O" or not all(cell is None or isinstance(cell, str) for cell in deciding):
        return column
    types = TypedColumn()
    types.add([cell or "" for cell in deciding])
    if types.kind in ("string", "nothing"):
        return column
    kinds = {cell: _kind(cell) for cell in set(column.tolist()) if isinstance(cell, str)}
    cells = [_retyped(cell, types.kind, *kinds[cell]) if isinstance(cell, str) else cell for cell in column.tolist()]
    typed = np.empty(len(cells), object)
    typed[:] = cells
    return typed


def _retyped(cell: str, wanted: Kind, kind: Kind, value: float) -> Any:
    if kind == "nothing":
        return None
    if _together(wanted, kind) != wanted:
        return cell if kind in ("string", "boolean") or wanted == "boolean" else value
    return int(cell) if wanted == "whole" else bool(value) if wanted == "boolean" else value
