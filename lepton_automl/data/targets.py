"""What is to be predicted: the task, the classes, and the targets as numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import DataError
from lepton_automl.notation import means_missing
from lepton_automl.preprocess import to_text
from lepton_automl.task import Task

from .forms import Form, label_notes, label_warnings, moments_refused, read_form, spans_refused
from .options import DataOptions
from .reader import is_blank
from .written import is_moment

Array = NDArray[Any]
MOST_CLASSES_BY_GUESS = 20  # whole numbers with more values than this are taken for quantities
MOST_CLASSES = 10_000
LEAST_ROWS = 2  # of a class: one to learn from and one to be asked about


@dataclass(frozen=True)
class Targets:
    """Targets of the rows that have one.

    Args:
        task: What kind of prediction.
        classes: Labels in the order of their indices; empty for regression.
        encoded: int64 [N] class indices, or float64 [N].
        kept: The source's rows that they belong to.
        notes: What was inferred.
        warnings: What looks wrong.
    """

    task: Task
    classes: tuple[Any, ...]
    encoded: Array
    kept: Array
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_targets(
    cells: Array,
    options: DataOptions,
    where: str,
    most_classes: int = MOST_CLASSES_BY_GUESS,
    *,
    test: Array | None = None,
    decimal: str = ".",
) -> Targets:
    """Infer the task and encode the targets.

    Args:
        cells: One target a row, of any type.
        options: May set the task.
        where: The target's name, for messages.
        most_classes: Whole numbers with more different values are taken for quantities.
        test: bool [N]: rows that the source gives as test rows. Nothing is inferred from them.
        decimal: The decimal sign of numbers that can be read with either.

    Raises:
        DataError: No targets, one class only, a class with a single row, infinite numbers, dates, or cells that are no labels.
    """
    empty = options.missing_in(where)
    known = np.flatnonzero([not is_blank(cell, empty) for cell in cells.tolist()])
    learnt = known if test is None else known[~test[known]]
    if not len(learnt):
        raise DataError("every target is missing", where=where, fix="Choose another target column, or fill this one in.")
    given = cells[known].tolist()
    _check_labels(given, where)
    _check_moments(cells, given, where)
    form = read_form(cells[learnt].tolist(), options, where, decimal)
    numbers = None if form is None else form.numbers(cells[learnt])
    task, why = (options.task, "as you said") if options.task else _infer(numbers, len(learnt), most_classes)
    if task == "regression":
        return _quantities(_Given(cells, known, learnt, where), form, why)
    return _labels(_Given(cells, known, learnt, where), form, options, why)


@dataclass(frozen=True)
class _Given:
    """A target's cells, which of them hold something, and which of these are no test rows."""

    cells: Array
    known: Array
    learnt: Array
    where: str

    def lost(self, kept: Array) -> tuple[str, ...]:
        """A warning on rows that are left out, with what stands there in place of a target."""
        lost = len(self.cells) - len(kept)
        if not lost:
            return ()
        out = np.ones(len(self.cells), bool)
        out[kept] = False
        texts = Counter(cell.strip() for cell in self.cells[out].tolist() if isinstance(cell, str) and cell.strip())
        listed = ", ".join(f"{text[:40]!r} ({count:,})" for text, count in texts.most_common(3)) + " ..." * (len(texts) > 3)
        said = f"; taken as missing: {listed}" if texts else ""
        return (f"{lost:,} rows without a {self.where!r} are left out{said}",)


def _quantities(given: _Given, form: Form | None, why: str) -> Targets:
    if form is None:
        odd = next(cell for cell in given.cells[given.learnt].tolist() if not _is_number(cell))
        fix = "Set task to multiclass, or choose a target that holds numbers."
        raise DataError(f"a regression target must be a number, not {odd!r}", where=given.where, fix=fix)
    numbers, _ = form.reader.numbers(given.cells[given.known])
    kept, numbers = given.known[~np.isnan(numbers)], numbers[~np.isnan(numbers)]
    _check_numbers(numbers, given.where)
    note = f"regression of {given.where!r}{f' ({form.shown})' if form.shown else ''}: {why}"
    return Targets("regression", (), numbers, kept, (note, *form.notes), (*given.lost(kept), *form.warnings))


def _labels(given: _Given, form: Form | None, options: DataOptions, why: str) -> Targets:
    kept, where = given.known, given.where
    if form is not None:  # labels that are numbers: a test row's "?" is no other label
        kept = kept[[not (isinstance(cell, str) and means_missing(cell)) for cell in given.cells[kept].tolist()]]
    labels = given.cells[kept].tolist()
    if form is not None and form.gaps:  # numbers, and some texts such as "?" for those that are missing
        numbers, _ = form.reader.numbers(given.cells[kept])
        kept, labels = kept[~np.isnan(numbers)], numbers[~np.isnan(numbers)].tolist()
    classes, indices = _classes(labels, np.isin(kept, given.learnt), where, asked=options.task)
    task: Task = "binary" if len(classes) == 2 else "multiclass"
    if options.task == "binary" and task != "binary":
        raise DataError(f"{len(classes)} classes are not binary", where=where, fix="Leave task out, or set it to multiclass.")
    notes = (f"{task} classification of {where!r}: {why}", *label_notes(classes, labels, where))
    return Targets(task, classes, indices, kept, notes, (*given.lost(kept), *label_warnings(classes, where)))


def _check_labels(given: list[Any], where: str) -> None:
    odd = next((cell for cell in given if isinstance(cell, list | dict | set | tuple | np.ndarray)), None)
    if odd is not None:
        raise DataError(
            f"a target is a {type(odd).__name__}, not one label", where=where, fix="Give one label or number a row."
        )


def _check_moments(cells: Array, given: list[Any], where: str) -> None:
    """Dates and durations are neither classes nor, in this version, numbers to predict."""
    kind = cells.dtype.kind
    duration = kind == "m" or (kind == "O" and all(isinstance(cell, timedelta | np.timedelta64) for cell in given))
    if kind == "O" and all(isinstance(cell, time) for cell in given):
        raise spans_refused(where, str(given[0]))
    if duration or kind == "M" or (kind == "O" and all(is_moment(cell) or _is_period(cell) for cell in given)):
        raise moments_refused(where, str(cells[0] if kind in "mM" else given[0]), duration=duration)


def _is_period(cell: Any) -> bool:
    """Whether a cell is a pandas Period, such as a month."""
    return hasattr(cell, "start_time") and hasattr(cell, "freqstr")


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float | np.number) and not isinstance(cell, bool | np.bool_)


def _check_numbers(numbers: Array, where: str) -> None:
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


def _infer(numbers: Array | None, rows: int, most_classes: int) -> tuple[Task, str]:
    if numbers is None:
        return "multiclass", "its values are labels"
    different = len(np.unique(numbers))
    if different <= 2:
        return "binary", f"it has {different} different values"
    if not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any():
        return "regression", "its values are fractions"
    if different > most_classes or different > rows / 2:
        return "regression", f"it has {different:,} different whole numbers"
    return "multiclass", f"it has only {different} different whole numbers (set task='regression' if they are quantities)"


def _classes(given: list[Any], learnt: Array, where: str, *, asked: Task | None) -> tuple[tuple[Any, ...], Array]:
    """The labels of the rows that are no test rows, in order, and each row's index among them."""
    texts = [to_text(cell) or "" for cell in given]
    counts = Counter(texts)
    first = Counter(text for text, own in zip(texts, learnt.tolist(), strict=True) if own)
    strange = sorted(set(counts) - set(first))
    if strange:
        names = ", ".join(map(repr, strange[:5]))
        fix = "Give training rows of these classes, or leave their test rows out."
        raise DataError(f"no training example is of class {names}", where=where, fix=fix)
    if len(counts) == 1:
        fix = "Give examples of at least two classes."
        raise DataError(f"there is one class only, {texts[0]!r}", where=where, fix=fix)
    if len(counts) > MOST_CLASSES or (asked is None and len(counts) > 50 and len(counts) > len(given) / 2):
        fix = "Choose another target; this one looks like a name, an identifier or free text."
        raise DataError(f"it has {len(counts):,} different labels in {len(given):,} rows", where=where, fix=fix)
    lonely = sorted(label for label, count in counts.items() if count < LEAST_ROWS)
    if lonely:
        listed = ", ".join(map(repr, lonely[:5])) + (" ..." if len(lonely) > 5 else "")
        fix = "Give more examples of each, merge them into another class, or leave them out."
        raise DataError(f"a class needs at least {LEAST_ROWS} examples; too few of: {listed}", where=where, fix=fix)
    native = {text: _native(cell) for text, cell, own in zip(texts, given, learnt.tolist(), strict=True) if own}
    if len({str if isinstance(label, str) else _is_number(label) for label in native.values()}) > 1:
        native = {text: text for text in native}  # labels of several types have no order but that of their texts
    ordered = sorted(native, key=lambda text: native[text])
    index = {text: at for at, text in enumerate(ordered)}
    return tuple(native[text] for text in ordered), np.array([index[text] for text in texts], np.int64)


def _native(cell: Any) -> Any:
    """A label as JSON can hold it."""
    if isinstance(cell, bool | np.bool_):
        return bool(cell)
    if isinstance(cell, int | float | np.number) and np.isfinite(cell):
        return int(cell) if float(cell).is_integer() else float(cell)
    return to_text(cell)


def weights(class_weight: Any, classes: tuple[Any, ...], indices: Array) -> tuple[float, ...]:
    """One weight a class.

    Args:
        class_weight: `"balanced"` (inverse to the class's share), a weight for each label by its text, or None.
        classes: Labels in order.
        indices: Class indices of the training rows.

    Raises:
        DataError: A weight is for a label that does not exist.
    """
    if class_weight is None or not classes:
        return ()
    if class_weight == "balanced":
        counts = np.maximum(np.bincount(indices, minlength=len(classes)), 1)
        return tuple(float(weight) for weight in len(indices) / (len(classes) * counts))
    by_text = {str(to_text(label)): float(weight) for label, weight in class_weight.items()}
    texts = [str(to_text(label)) for label in classes]
    unknown = sorted(set(by_text) - set(texts))
    if unknown:
        raise DataError(f"there is no class {', '.join(unknown)}", where="class_weight", fix=f"Classes: {', '.join(texts)}.")
    return tuple(by_text.get(text, 1.0) for text in texts)
