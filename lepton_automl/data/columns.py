"""What each column of a table is, and its preprocessing, fitted on the training rows."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import Complaints, DataError
from lepton_automl.preprocess import (
    CYCLES,
    CategoryColumn,
    Column,
    InputError,
    NumberColumn,
    TimeColumn,
    is_missing,
    round_cycle,
    to_days,
    to_number,
    to_text,
)

from .knots import fit_robust, fit_scale
from .options import DataOptions

Array = NDArray[Any]
MOST_CATEGORIES = 255
LEAST_OF_CATEGORY = 2  # rows; a category seen once teaches nothing that holds
ID_NAME = re.compile(r"(^|[^a-z])(id|index|uuid|key|rownum|unnamed: 0)$")
MOST_TOKENS = 3  # different texts that may stand for a missing number
ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")


@dataclass
class Findings:
    """What is found out about the columns.

    Args:
        train: The rows to fit on.
        options: May say which columns are numbers or categories, and what infinite numbers mean.
        targets: Of the training rows, where fitting may look at them.
    """

    train: Array
    options: DataOptions
    targets: Array | None = None
    columns: list[Column] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def fit_columns(
    cells: dict[str, Array], train: Array, options: DataOptions, where: str, targets: Array | None = None
) -> Findings:
    """Decide what each column is and fit it.

    Constant columns, and texts that differ in nearly every row, are left out with a note.

    Args:
        cells: Every feature column with all its rows.
        train: The rows to fit on.
        options: May say which columns are numbers or categories.
        where: The table, for messages.
        targets: Of the training rows, where fitting may look at them.

    Raises:
        DataError: Cells hold lists or dicts, numbers are infinite, or no column is left; all of it is listed.
    """
    found = Findings(train, options, targets)
    complaints = Complaints(where, DataError)
    for name, column in cells.items():
        try:
            fitted = _fit(name, column, found)
        except InputError as error:
            complaints.add(f"{error} ", "Correct these cells, or leave the column out: ignore=[...].")
        else:
            found.columns += [fitted] if fitted is not None else []
    complaints.raise_any()
    if not found.columns:
        said = " ".join(found.notes)
        raise DataError(f"no column is left to learn from. {said}", where=where, fix="Give columns that differ between rows.")
    return found


def _fit(name: str, column: Array, found: Findings) -> Column | None:
    kind, tokens = _kind(name, column, found.options)
    seen = column[found.train]
    if name not in found.options.numeric and _numbers_rows(name, seen):
        found.notes.append(f"{name!r} is left out: it numbers the rows (say numeric=[{name!r}] to keep it)")
        return None
    if kind == "number":
        return _number(name, column, tokens, found)
    return _time(name, seen, found) if kind == "time" else _category(name, seen, found)


def _kind(name: str, column: Array, options: DataOptions) -> tuple[str, tuple[str, ...]]:
    """`"number"`, `"time"` or `"category"`, and the texts that stand for missing numbers."""
    present = [cell for cell in column.tolist() if not is_missing(cell)] if column.dtype.kind in "OUST" else []
    odd = next((cell for cell in present if isinstance(cell, list | dict | set | tuple | np.ndarray)), None)
    if odd is not None:
        raise InputError(f"column {name!r} holds a {type(odd).__name__} in a cell: {str(odd)[:40]}.")
    if name in options.categorical:
        return "category", ()
    if name in options.numeric:
        return "number", tuple(sorted({cell.strip() for cell in present if isinstance(cell, str) and not _parses(cell)}))
    if column.dtype.kind in "fiub":
        return "number", ()
    if column.dtype.kind == "M":
        return "time", ()
    if column.dtype.kind in "cmV":
        raise InputError(f"column {name!r} holds {column.dtype}, which is neither number, date nor category.")
    return _kind_of_objects(present)


def _kind_of_objects(present: list[Any]) -> tuple[str, tuple[str, ...]]:
    if not present:
        return "category", ()  # empty: left out as constant
    if all(isinstance(cell, str) for cell in present):
        if all(ISO.fullmatch(cell.strip()) for cell in present):
            return "time", ()
        tokens = {cell.strip() for cell in set(present) if not _parses(cell)}
        different = len(set(present))
        mostly = sum(cell.strip() not in tokens for cell in present) >= 0.5 * len(present)
        return ("number", tuple(sorted(tokens))) if len(tokens) <= MOST_TOKENS < different and mostly else ("category", ())
    if all((hasattr(cell, "isoformat") and hasattr(cell, "year")) or isinstance(cell, np.datetime64) for cell in present):
        return "time", ()
    if any(isinstance(cell, str) for cell in present) or not all(_parses(cell) for cell in present):
        return "category", ()
    return "number", ()


def _parses(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _number(name: str, column: Array, tokens: tuple[str, ...], found: Findings) -> NumberColumn | None:
    numbers = _floats(column, name, tokens)
    infinite = np.isinf(numbers)
    if infinite.any():
        said = f"{name!r} holds {infinite.sum():,} infinite values, the first in row {infinite.argmax()}"
        if found.options.infinite == "error":
            raise InputError(f"column {said}; infinite='missing' would treat them as missing.")
        found.warnings.append(f"{said}: treated as missing")
    seen = np.where(infinite, np.nan, numbers)[found.train]
    present = seen[~np.isnan(seen)]
    flag = len(present) < len(seen)
    if not len(present) or (not flag and present.min() == present.max()):
        found.notes.append(_constant(name, empty=not len(present)))
        return None
    if tokens:
        found.notes.append(f"{name!r} is numeric; {', '.join(map(repr, tokens))} in it means missing")
    targets = None if found.targets is None else found.targets[~np.isnan(seen)]
    return NumberColumn(name, fit_scale(present, targets), fit_robust(present), flag=flag, tokens=tokens)


def _numbers_rows(name: str, seen: Array) -> bool:
    """Whether whole numbers are but a row's number: consecutive, or all different under a name such as `user_id`."""
    if seen.dtype.kind not in "iu" or len(seen) < 20 or len(np.unique(seen)) < len(seen):
        return False
    named = ID_NAME.search(name.lower()) is not None
    return named or bool((np.diff(seen.astype(np.float64)) == 1).all())


def _floats(cells: Array, name: str, tokens: tuple[str, ...]) -> Array:
    """float64 with infinite values left in, unlike at prediction."""
    if cells.dtype.kind in "fiub":
        return cells.astype(np.float64)
    return np.array([_float(cell, name, tokens) for cell in cells.tolist()], np.float64)


def _float(cell: Any, name: str, tokens: tuple[str, ...]) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return to_number(cell, name, tokens)


def _constant(name: str, *, empty: bool) -> str:
    return f"{name!r} is left out: " + ("it is empty" if empty else "it is the same in every training row")


def _time(name: str, seen: Array, found: Findings) -> TimeColumn | None:
    days = to_days(seen, name)
    present = days[~np.isnan(days)]
    flag = len(present) < len(days)
    if not len(present) or (not flag and np.ptp(present) == 0):
        found.notes.append(_constant(name, empty=not len(present)))
        return None
    cycles = [cycle for cycle in CYCLES if _goes_round(present, cycle)]
    found.notes.append(f"{name!r} is a point in time: days since 1970" + "".join(f", time of {cycle}" for cycle in cycles))
    return TimeColumn(name, fit_scale(present), cycles=cycles, flag=flag)


def _goes_round(days: Array, cycle: str) -> bool:
    """Whether the days cover the cycle more than once and differ within it."""
    spread = max(float(np.std(wave)) for wave in round_cycle(days, cycle))
    return bool(np.ptp(days) > CYCLES[cycle] and spread > 0.01)


def _category(name: str, seen: Array, found: Findings) -> CategoryColumn | None:
    texts = [to_text(cell) for cell in seen.tolist()]
    counts = Counter(text for text in texts if text is not None)
    if len(counts) + (None in texts) < 2:
        found.notes.append(_constant(name, empty=not counts))
        return None
    if name not in found.options.categorical and len(counts) > 20 and len(counts) > 0.9 * sum(counts.values()):
        found.notes.append(f"{name!r} is left out: nearly every row has its own value, as in an identifier")
        return None
    often = [text for text, count in counts.items() if count >= LEAST_OF_CATEGORY]
    kept = sorted(sorted(often, key=lambda text: (-counts[text], text))[:MOST_CATEGORIES])
    if len(kept) < len(counts):
        found.notes.append(f"{name!r} has {len(counts):,} values; the {len(kept):,} most frequent are told apart")
    if not kept:
        found.notes.append(f"{name!r} is left out: no value occurs twice")
        return None
    return CategoryColumn(name, kept)
