"""Conversion of text columns to numbers or booleans where every cell is one; all other columns stay text."""

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
# Texts that mean a missing value in a column of numbers or booleans, as in pandas; in a text column they stay text.
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
NUMBER_CELL_BYTES, TEXT_CELL_BYTES = 72, 40  # per cell, with all copies that are made until the data are prepared
TRUE, FALSE = ("True", "TRUE", "true"), ("False", "FALSE", "false")
_WHOLE, _NUMBER = set("0123456789+- \n"), set("0123456789+-.eE \n")
_PADDED = re.compile(r"^ *[+-]?0[0-9]+ *$", re.MULTILINE)  # integers with leading zeros, as in codes
_INFINITE = re.compile(r"\s*[+-]?inf(inity)?\s*", re.IGNORECASE)


class TypedColumn:
    """A column that is read in parts; its kind is the one that fits all cells so far.

    Args:
        as_text: Whether the column is known to be text.
    """

    def __init__(self, *, as_text: bool = False) -> None:
        self.kind: Kind = "string" if as_text else "nothing"
        self.needs_reread = False  # whether earlier cells were converted to numbers and must be read again as text
        self._parts: list[Any] = []
        self._missing = False
        self._texts: dict[str, str | None] = {}
        self._bytes, self._cells = 0, 0

    def add(self, cells: Sequence[str]) -> None:
        """Add the next cells."""
        self._cells += len(cells)
        if self.kind != "string":
            kind, part, missing = _typed(cells)
            common = _common_kind(self.kind, kind)
            if common != "string":
                self.kind, self._missing = common, self._missing or missing
                self._parts.append(part)
                return
            self.needs_reread = bool(self._parts)
            self.kind, self._parts = "string", []
        if not self.needs_reread:
            new = set(cells).difference(self._texts)
            for text in new:
                self._texts[text] = text if text.strip() else None
            self._bytes += sum(map(sys.getsizeof, new))
            self._parts.append([*map(self._texts.__getitem__, cells)])

    @property
    def memory(self) -> int:
        """Bytes that the column needs until the data are prepared."""
        return self._bytes + self._cells * (TEXT_CELL_BYTES if self.kind == "string" else NUMBER_CELL_BYTES)

    @property
    def blank(self) -> bool:
        """Whether no cell has a value."""
        return self.kind == "nothing" or (self.kind == "string" and not any(self._texts.values()))

    def values(self) -> Any:
        """All cells: an array of int64, uint64, float64 or bool, an object array if booleans are missing, or a list of texts."""
        if self.kind == "string":
            return [cell for part in self._parts for cell in part]
        if not self._parts:
            return np.empty(0, np.float64)
        joined = np.concatenate([np.asarray(part) for part in self._parts])
        if self.kind != "boolean":
            return joined
        if not self._missing:
            return joined.astype(bool)
        return np.array([None if math.isnan(cell) else bool(cell) for cell in joined.tolist()], object)


def _typed(cells: Sequence[str]) -> tuple[Kind, Any, bool]:
    """The kind of some cells, the cells as an array of numbers (booleans as 1 and 0), and whether any are missing."""
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
            pass  # a cell of spaces, or not a number
    kinds: dict[str, tuple[Kind, float]] = {}
    common: Kind = "nothing"
    for cell in set(cells):
        kinds[cell] = _kind(cell)
        common = _common_kind(common, kinds[cell][0])
        if common == "string":
            return "string", None, False
    numbers = np.array([kinds[cell][1] for cell in cells])
    missing = any(kind == "nothing" for kind, _ in kinds.values())
    if common == "whole":
        if not missing:
            return _whole([*map(int, cells)])
        common = "number"
    return common, numbers, missing


def _whole(numbers: list[int]) -> tuple[Kind, Any, bool]:
    for dtype in (np.int64, np.uint64):
        try:
            return "whole", np.array(numbers, dtype), False
        except OverflowError:
            continue
    return "string", None, False  # does not fit into 64 bits: an identifier, not a quantity


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


def _common_kind(kind: Kind, other: Kind) -> Kind:
    """The kind that fits cells of two kinds."""
    if "nothing" in (kind, other) or kind == other:
        return other if kind == "nothing" else kind
    return "string" if {"string", "boolean"} & {kind, other} else "number"


def retyped(column: Array, rows: Array) -> Array:
    """Text cells of a file as the numbers or booleans that they would be if the file had only these rows.

    One cell that is not a number makes a whole column text. If that cell is in a test row, it must not affect the other rows.

    Args:
        column: All cells of the column, texts or None.
        rows: The rows that determine the kind.
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
    if _common_kind(wanted, kind) != wanted:
        return cell if kind in ("string", "boolean") or wanted == "boolean" else value
    return int(cell) if wanted == "whole" else bool(value) if wanted == "boolean" else value
