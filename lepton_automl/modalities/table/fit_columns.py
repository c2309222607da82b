"""Infer the kind of each column of a table, and fit its preprocessing on the training rows."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.cells import INFINITE
from lepton_automl.data.options import DataOptions
from lepton_automl.data.reader import Reader, is_blank
from lepton_automl.data.typed import retyped
from lepton_automl.data.written import (
    Written,
    decide,
    is_float,
    is_moment,
    usual_decimal,
)
from lepton_automl.errors import Complaints, DataError, InputError
from lepton_automl.modalities.table.preprocess.columns import Column, NumberColumn

from .findings import Findings, constant_note
from .fit_categories import fit_categories
from .fit_times import fit_times
from .options import table_options
from .quantile_knots import fit_robust, fit_scale

Array = NDArray[Any]
ID_NAME = re.compile(r"(^|[^a-z])(id|index|uuid|key|rownum|unnamed: 0)$")
MOST_LISTED = 20  # columns in one note


def fit_columns(
    cells: dict[str, Array],
    train: Array,
    options: DataOptions,
    source: str,
    targets: Array | None = None,
    *,
    file: str = "",
) -> Findings:
    """Infer the kind of each column, and fit it on the training rows.

    Constant columns, and texts that differ in nearly every row, are left out with a note.

    Args:
        cells: The feature columns by name.
        train: The rows to fit on.
        options: The data options; they may set which columns are numbers or categories.
        source: The table, for messages.
        targets: Targets of the training rows; None if fitting must not use them.
        file: The separator of the CSV file that the table comes from, whose cells are verbatim text; empty for other sources.

    Raises:
        DataError: Cells hold lists or dicts, units are mixed, numbers are infinite, or no column is left; the error lists all.
    """
    findings = Findings(options, targets, usual_decimal(file))
    complaints = Complaints(source, DataError)
    for name, column in cells.items():
        try:
            fitted = _fit(name, retyped(column, train) if file else column, train, findings)
        except InputError as error:
            fix = f"Correct these cells, keep them as texts (categorical=[{name!r}]), or leave them out (ignore=[{name!r}])."
            complaints.add(str(error), fix)
        else:
            findings.columns += [fitted] if fitted is not None else []
    complaints.raise_any()
    if not findings.columns:
        explanation = " ".join(findings.notes)
        raise DataError(
            f"no column is left to learn from. {explanation}", where=source, fix="Give columns that differ between rows."
        )
    findings.notes += _missing_note(findings)
    return findings


def inferred_dtype(cells: Array) -> Array:
    """Cells in their own type: test rows in the same table may have turned numbers into objects."""
    if cells.dtype.kind != "O":
        return cells
    import pandas as pd

    return np.asarray(pd.Series(cells, dtype=object).infer_objects().to_numpy())


def _missing_note(findings: Findings) -> list[str]:
    """A note on the number of missing training cells in each column."""
    listed = [f"{column.name!r} ({count:,})" for column in findings.columns if (count := findings.missing.get(column.name))]
    more = f" and {len(listed) - MOST_LISTED:,} more columns" if len(listed) > MOST_LISTED else ""
    return [f"missing values in training rows: {', '.join(listed[:MOST_LISTED])}{more}"] if listed else []


def _fit(name: str, column: Array, train: Array, findings: Findings) -> Column | None:
    cells = inferred_dtype(column[train])
    written = _infer_format(name, cells, findings.options, findings.decimal)
    if written.kind == "number":
        numbers, _ = Reader(
            written.number, missing=findings.options.missing_in(name), decode_targets=written.decode_targets
        ).numbers(column)
        infinite = np.isinf(numbers)
        if infinite.any() and table_options(findings.options).infinite == "error":
            raise InputError(f"column {infinite_error(name, infinite)}")
        findings.warnings += [f"{infinite_text(name, infinite)}: treated as missing"] if infinite.any() else []
        return _number(name, np.where(infinite, np.nan, numbers)[train], written, findings)
    fitted = fit_times(name, cells, written, findings) if written.kind == "time" else fit_categories(name, cells, findings)
    findings.notes += written.notes if fitted else ()
    findings.warnings += written.warnings if fitted else ()
    return fitted


def _infer_format(name: str, values: Array, options: DataOptions, decimal: str) -> Written:
    """The kind of a column, and the format of its texts."""
    cells = values.tolist() if values.dtype.kind in "OUST" else []
    empty = options.missing_in(name)
    present = [cell for cell in cells if not is_blank(cell, empty)]
    odd = next((cell for cell in present if isinstance(cell, list | dict | set | tuple | np.ndarray)), None)
    if odd is not None:
        raise InputError(f"column {name!r} holds a {type(odd).__name__} in a cell: {str(odd)[:40]}.")
    if name in table_options(options).categorical:
        return Written("category")
    forced = name in table_options(options).numeric
    if values.dtype.kind in "fiub":
        return Written("number")
    if values.dtype.kind == "M" and not forced:
        return Written("time")
    if values.dtype.kind in "cmMV":
        raise InputError(f"column {name!r} holds {values.dtype}, which is neither number, date nor category.")
    if forced and present and not any(map(is_float, present)):
        written = decide(name, present, options, forced=True, decimal=decimal)
        if written.number is None:
            raise InputError(f"column {name!r} must be numeric, but no training cell is a number, such as {present[0]!r}.")
        return written
    if any(isinstance(cell, str) for cell in present) or (forced and present):
        return decide(name, present, options, forced=forced, decimal=decimal)
    if present and all(map(is_moment, present)):
        return Written("time")
    return Written("number" if forced or (present and all(map(is_float, present))) else "category")


def _number(name: str, numbers: Array, written: Written, findings: Findings) -> NumberColumn | None:
    if name not in table_options(findings.options).numeric and _numbers_rows(name, numbers):
        findings.notes.append(f"{name!r} is left out: it only numbers the rows (set numeric=[{name!r}] to keep it)")
        return None
    present = numbers[~np.isnan(numbers)]
    flag = len(present) < len(numbers)
    if not len(present) or (not flag and present.min() == present.max()):
        findings.notes.append(constant_note(name, empty=not len(present)))
        return None
    findings.notes += written.notes
    findings.warnings += written.warnings
    if written.tokens:
        count = sum(written.lost[text] for text in written.tokens)
        cells = f"{count:,} cell{'s' if count != 1 else ''}"
        findings.notes.append(f"{name!r} is numeric; {', '.join(map(repr, written.tokens))} in it means missing ({cells})")
    findings.missing[name] = len(numbers) - len(present)
    targets = None if findings.targets is None else findings.targets[~np.isnan(numbers)]
    infinite = (INFINITE,) if table_options(findings.options).infinite == "missing" else ()
    tokens = (*written.tokens, *sorted(findings.options.missing_in(name)), *infinite)
    settings: dict[str, Any] = {"tokens": tokens, "notation": written.number, "lenient": written.lenient}
    return NumberColumn(name, fit_scale(present, targets), fit_robust(present), flag=flag, **settings)


def infinite_text(name: str, infinite: Array) -> str:
    """A text on how many numbers of a column are infinite, and where the first is."""
    return f"{name!r} holds {infinite.sum():,} infinite values, the first in row {infinite.argmax()}"


def infinite_error(name: str, infinite: Array) -> str:
    """The same as an error."""
    return f"{infinite_text(name, infinite)}; set infinite='missing' to treat them as missing."


def _numbers_rows(name: str, numbers: Array) -> bool:
    """Whether integers only number the rows: they are consecutive, or all different under a name such as `user_id`."""
    if len(numbers) < 20 or not (numbers == np.floor(numbers)).all() or len(np.unique(numbers)) < len(numbers):
        return False
    named = ID_NAME.search(name.lower()) is not None
    return named or bool((np.diff(numbers) == 1).all())
