"""What to predict: the task, and the targets as numbers."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, replace
from datetime import time, timedelta
from typing import Any

import numpy as np

from lepton_automl import plugins
from lepton_automl.arrays import Array
from lepton_automl.cells import objects
from lepton_automl.errors import DataError
from lepton_automl.modality import Claim
from lepton_automl.task import Targets, task_named

from .label_targets import Indicated
from .options import DataOptions
from .reader import is_blank
from .target_format import Form, dates_error, durations_error, read_form
from .written import is_moment

MAX_INFERRED_CLASSES = 20  # integers with more distinct values than this are treated as quantities


@dataclass(frozen=True)
class TargetCells:
    """A target's cells, the rows that have a value, and those of them that are not test rows.

    Args:
        cells: One per row, of any type.
        known: Rows whose cell has a value.
        learnt: Those of them that are not test rows.
        name: The target's name.
        form: How numbers are written; None where the cells are labels.
        most_classes: Integers with more distinct values are treated as quantities.
    """

    cells: Array
    known: Array
    learnt: Array
    name: str
    form: Form | None
    most_classes: int

    @functools.cached_property
    def numbers(self) -> Array | None:
        """The learnt cells as numbers; None where the cells are labels."""
        return None if self.form is None else self.form.numbers(self.cells[self.learnt])

    def lost(self, rows: Array) -> tuple[str, ...]:
        """A warning about rows that are left out, with the texts that they have in place of a target."""
        lost = len(self.cells) - len(rows)
        if not lost:
            return ()
        out = np.ones(len(self.cells), bool)
        out[rows] = False
        texts = Counter(cell.strip() for cell in self.cells[out].tolist() if isinstance(cell, str) and cell.strip())
        listed = ", ".join(f"{text[:40]!r} ({count:,})" for text, count in texts.most_common(3)) + " ..." * (len(texts) > 3)
        missing = f"; taken as missing: {listed}" if texts else ""
        return (f"{lost:,} rows without a {self.name!r} are left out{missing}",)


def read_targets(
    cells: Array,
    options: DataOptions,
    name: str,
    most_classes: int = MAX_INFERRED_CLASSES,
    *,
    test: Array | None = None,
    decimal: str = ".",
) -> Targets:
    """Infer the task and encode the targets.

    Args:
        cells: One target per row, of any type.
        options: May set the task.
        name: The target's name, for messages.
        most_classes: Integers with more distinct values are treated as quantities.
        test: bool [N]: rows that the source marks as test rows. Nothing is inferred from them.
        decimal: The decimal sign for numbers that can be read either way.

    Raises:
        DataError: No targets, one class only, a class with a single row, infinite numbers, dates, or cells that are not labels.
    """
    task = options.implied_task() or options.task
    cells, one_hot = _without_one_hot(cells, task, name)
    empty = options.missing_in(name)
    known = np.flatnonzero([not is_blank(cell, empty) for cell in cells.tolist()])
    learnt = known if test is None else known[~test[known]]
    if not len(learnt):
        raise DataError("every target is missing", where=name, fix="Choose another target column, or fill this one in.")
    labels = cells[known].tolist()
    _check_labels(labels, name)
    _check_moments(cells, labels, name)
    holds = task_named(task).holds if task else None
    form = read_form(cells[learnt].tolist(), options, name, decimal, holds=holds)
    column = TargetCells(cells, known, learnt, name, form, most_classes)
    if task:
        targets = task_named(task).encode(column, options, "as set by task=")
    else:
        inferred, claim = _infer(column)
        targets = task_named(inferred).encode(column, options, claim.reason)
    return replace(targets, notes=(*one_hot, *targets.notes)) if one_hot else targets


def _without_one_hot(cells: Array, task: str | None, name: str) -> tuple[Array, tuple[str, ...]]:
    """Rows of columns of zeros and ones, of which every row has a single one, as one label per row, with a note.

    They stay sets of labels if the user has set a task of sets.
    """
    rows = [cell for cell in cells.tolist() if isinstance(cell, list)] if cells.dtype.kind == "O" else []
    if not rows or not all(isinstance(cell, Indicated) and len(cell) == 1 for cell in rows):
        return cells, ()
    every = np.arange(len(cells))
    column = TargetCells(cells=cells, known=every, learnt=every, name=name, form=None, most_classes=0)
    if task is not None and task == _infer(column)[0]:
        return cells, ()
    labels = objects([cell[0] if isinstance(cell, list) else cell for cell in cells.tolist()])
    return labels, (f"the columns of {name!r} are one-hot: the one in each row is its class",)


def _infer(column: TargetCells) -> tuple[str, Claim]:
    """The task that claims the targets with the most confidence.

    Raises:
        DataError: No task does, or two are equally confident.
    """
    claims = {name: claim for name in plugins.names("tasks") if (claim := task_named(name).infer(column))}
    best = sorted(claims, key=lambda name: -claims[name].confidence)
    if not best:
        fix = f"Set task to one of {', '.join(plugins.names('tasks'))}, or choose another target."
        raise DataError("no task supports targets like these", where=column.name, fix=fix)
    if len(best) > 1 and claims[best[0]].confidence == claims[best[1]].confidence:
        fix = f"Set task to {best[0]} or {best[1]}."
        raise DataError("several tasks are possible", where=column.name, fix=fix)
    return best[0], claims[best[0]]


def _check_labels(labels: list[Any], column: str) -> None:
    several = [isinstance(cell, list | dict | set | frozenset | tuple | np.ndarray) for cell in labels]
    odd = next((cell for cell, is_several in zip(labels, several, strict=True) if is_several), None)
    if odd is not None and (not all(several) or isinstance(odd, dict)):
        raise DataError(
            f"a target is a {type(odd).__name__}, not one label", where=column, fix="Give one label or number per row."
        )


def _check_moments(cells: Array, labels: list[Any], column: str) -> None:
    """Refuse dates and durations: they are neither classes nor numbers that this version can predict."""
    kind = cells.dtype.kind
    duration = kind == "m" or (kind == "O" and all(isinstance(cell, timedelta | np.timedelta64) for cell in labels))
    if kind == "O" and all(isinstance(cell, time) for cell in labels):
        raise durations_error(column, str(labels[0]))
    if duration or kind == "M" or (kind == "O" and all(is_moment(cell) or _is_period(cell) for cell in labels)):
        raise dates_error(column, str(cells[0] if kind in "mM" else labels[0]), duration=duration)


def _is_period(cell: Any) -> bool:
    """Whether a cell is a pandas Period, such as a month."""
    return hasattr(cell, "start_time") and hasattr(cell, "freqstr")


def is_number(cell: Any) -> bool:
    """Whether a cell is a number and not a boolean."""
    return isinstance(cell, int | float | np.number) and not isinstance(cell, bool | np.bool_)
