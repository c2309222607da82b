"""Converts cells of a table to numbers, dates and texts, and detects missing ones.

This file is shipped with every deployed model: it needs only NumPy and other shipped modules of this package.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.errors import InputError
from lepton_automl.notation import DateNotation, NumberNotation, means_missing

EPOCH = datetime(1970, 1, 1)
INFINITE = "inf"  # if it is among the texts for a missing number, infinite numbers are missing
TRUTHS = {"true": True, "false": False}
PLAIN_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def is_missing(value: Any) -> bool:
    """Whether a cell is missing: None, NaN of any type of numbers, NaT or pandas' NA."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float | complex | np.inexact) and bool(value != value)  # noqa: PLR0124  # NaN


def absent_numbers(texts: Iterable[str]) -> tuple[float, ...]:
    """The numbers among texts for missing values, such as -999."""
    numbers = []
    for text in texts:
        try:
            numbers.append(float(text))
        except ValueError:
            continue
    return tuple(numbers)


def to_truth(cell: Any, tokens: Collection[str] = ()) -> Any:
    """True or False for the text "true" or "false" in any case, unless it means a missing value; any other cell unchanged."""
    if isinstance(cell, str) and (text := cell.strip()) not in tokens:
        return TRUTHS.get(text.lower(), cell)
    return cell


def to_number(
    value: Any, name: str, tokens: Sequence[str] = (), notation: NumberNotation | None = None, *, lenient: bool = False
) -> float:
    """A cell as a number; NaN if it is missing.

    Args:
        value: The cell.
        name: Its column, for the message.
        tokens: Texts that stand for a missing number, besides the usual ones.
        notation: How numbers are written in texts, if not as in Python.
        lenient: Whether every text that is not a number counts as missing.

    Raises:
        InputError: It is not a number, or it is infinite.
    """
    try:
        number = float(value) if notation is None or not isinstance(value, str) else notation.read(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None:
        if is_missing(value) or (isinstance(value, str) and (lenient or value.strip() in tokens or means_missing(value))):
            return math.nan
        unit = f" in {notation.shown}" if notation is not None and notation.shown else ""
        raise InputError(f"column {name!r} takes numbers{unit}, not {value!r}")
    if number in (math.inf, -math.inf):
        if INFINITE in tokens:
            return math.nan
        raise InputError(f"column {name!r} contains an infinite value; pass None for an unknown number")
    return number


def to_numbers(
    cells: Array, name: str, tokens: Sequence[str] = (), notation: NumberNotation | None = None, *, lenient: bool = False
) -> Array:
    """Many cells as float64 [N]; see `to_number`."""
    if cells.dtype.kind in "fiub":
        numbers = cells.astype(np.float64)
        infinite = np.isinf(numbers)
        return np.where(infinite, to_number(math.inf, name, tokens), numbers) if infinite.any() else numbers
    if cells.dtype.kind in "mM":
        raise InputError(f"column {name!r} takes numbers, not points in time")
    read = (to_number(cell, name, tokens, notation, lenient=lenient) for cell in cells.tolist())
    return np.fromiter(read, np.float64, len(cells))


def to_day(
    value: Any, name: str, tokens: Sequence[str] = (), notation: DateNotation | None = None, *, lenient: bool = False
) -> float:
    """A point in time as days since 1970 (UTC if it has no zone); NaN if it is missing.

    Args:
        value: The cell.
        name: Its column, for the message.
        tokens: Texts that stand for a missing date, besides the usual ones.
        notation: How dates are written in texts, if not as ISO 8601.
        lenient: Whether every text that is not a date counts as missing.

    Raises:
        InputError: It is neither a date nor a text that can be read as one.
    """
    if is_missing(value) or (isinstance(value, str) and (value.strip() in tokens or means_missing(value))):
        return math.nan
    try:
        if isinstance(value, np.datetime64):
            return float(value.astype("datetime64[us]").astype(np.int64)) / 86400e6
        moment = _read_date(value.strip(), notation) if isinstance(value, str) else value
        if not isinstance(moment, datetime):
            if not isinstance(moment, date):
                raise TypeError
            moment = datetime(moment.year, moment.month, moment.day)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        since = moment - EPOCH
        return float(((since.days * 86400 + since.seconds) * 10**6) + since.microseconds) / 86400e6
    except (TypeError, ValueError, OverflowError):
        if lenient and isinstance(value, str):
            return math.nan
        raise InputError(f"column {name!r} takes dates such as {_date_example(notation)}, not {value!r}") from None


def _read_date(text: str, notation: DateNotation | None) -> datetime:
    """A text in the column's notation, or in ISO 8601."""
    moment = None if notation is None else notation.read(text)
    return datetime.fromisoformat(text) if moment is None else moment


def _date_example(notation: DateNotation | None) -> str:
    if notation is None or notation.day_first is None:
        return "2026-11-21 or 2026-11-21T13:45"
    return "21/11/2026 or 21/11/2026 13:45" if notation.day_first else "11/21/2026 or 11/21/2026 13:45"


def other_spellings(text: str) -> list[str]:
    """How `to_text` writes the value of a text that is a number, true or false: "1" for 1.0 or +1; "True" and "1" for TRUE."""
    if (truth := TRUTHS.get(text.lower())) is not None:
        return [str(truth), str(int(truth))]
    if not PLAIN_NUMBER.fullmatch(text):
        return []
    number = float(text)
    exact = [str(int(text))] if text.lstrip("+-").isdigit() else []
    return [*exact, str(to_text(number)), *([str(number == 1)] if number in (0, 1) else [])]


def to_text(value: Any) -> str | None:
    """A category as text, equal for equal values: 1, 1.0 and "1" are one category, as are "a" and " a"; None if missing."""
    if isinstance(value, str):
        return value.strip() or None
    if is_missing(value):
        return None
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return repr(float(value)) if isinstance(value, float | np.floating) else str(value)


def objects(cells: Sequence[Any]) -> Array:
    """Cells as an array of objects; each cell keeps its type."""
    column = np.empty(len(cells), object)
    column[:] = cells
    return column
