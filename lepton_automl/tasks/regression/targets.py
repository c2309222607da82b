"""Numbers as they are, checked."""

from __future__ import annotations

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.data.targets import TargetCells, is_number
from lepton_automl.errors import DataError
from lepton_automl.task import Targets


def encode_numbers(column: TargetCells, reason: str, task: str) -> Targets:
    """The numbers [N], float64.

    Raises:
        DataError: Cells hold no numbers, infinite ones, ones that are all equal, or ones that are too large to be scaled.
    """
    if column.form is None:
        odd = next(cell for cell in column.cells[column.learnt].tolist() if not is_number(cell))
        fix = "Set task to multiclass, or choose a target that holds numbers."
        raise DataError(f"a {task} target must be a number, not {odd!r}", where=column.where, fix=fix)
    numbers, _ = column.form.reader.numbers(column.cells[column.known])
    kept, numbers = column.known[~np.isnan(numbers)], numbers[~np.isnan(numbers)]
    _check(numbers, column.where)
    form = column.form
    note = f"{task} of {column.where!r}{f' ({form.shown})' if form.shown else ''}: {reason}"
    warnings = (*column.lost(kept), *form.warnings)
    return Targets(task=task, classes=(), encoded=numbers, kept=kept, notes=(note, *form.notes), warnings=warnings)


def _check(numbers: Array, where: str) -> None:
    if not np.isfinite(numbers).all():
        count = int((~np.isfinite(numbers)).sum())
        raise DataError(f"{count:,} targets are infinite", where=where, fix="Remove these rows or correct them.")
    if numbers.min() == numbers.max():
        raise DataError(
            f"every target is {numbers[0]:g}", where=where, fix="There is nothing to predict; choose another target."
        )
    with np.errstate(over="ignore"):
        deviation = np.std(numbers)
    if not np.isfinite(deviation):
        raise DataError(
            "the targets are too large to be scaled", where=where, fix="Predict their logarithm, or change the unit."
        )
