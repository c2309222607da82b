"""What is to be predicted: the task, the classes, and the targets as numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import DataError
from lepton_automl.preprocess import is_missing, to_text
from lepton_automl.values import Task

from .options import DataOptions

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


def read_targets(cells: Array, options: DataOptions, where: str, most_classes: int = MOST_CLASSES_BY_GUESS) -> Targets:
    """Infer the task and encode the targets.

    Args:
        cells: One target a row, of any type.
        options: May set the task.
        where: The target's name, for messages.
        most_classes: Whole numbers with more different values are taken for quantities.

    Raises:
        DataError: No targets, one class only, a class with a single row, infinite numbers, or cells that are no labels.
    """
    known = np.flatnonzero([not is_missing(cell) for cell in cells.tolist()])
    if not len(known):
        raise DataError("every target is missing", where=where, fix="Choose another target column, or fill this one in.")
    lost = len(cells) - len(known)
    warnings = (f"{lost:,} rows without a {where!r} are left out",) if lost else ()
    given = cells[known].tolist()
    _check_labels(given, where)
    numbers = _numbers(given)
    task, why = (options.task, "as you said") if options.task else _infer(given, numbers, most_classes)
    if task == "regression":
        if numbers is None:
            odd = next(cell for cell in given if not _is_number(cell))
            raise DataError(f"a regression target must be a number, not {odd!r}", where=where, fix="Set task to multiclass.")
        _check_numbers(numbers, where)
        return Targets("regression", (), numbers, known, (f"regression of {where!r}: {why}",), warnings)
    classes, indices = _classes(given, where, asked=options.task)
    task = "binary" if len(classes) == 2 else "multiclass"
    if options.task == "binary" and task != "binary":
        raise DataError(f"{len(classes)} classes are not binary", where=where, fix="Leave task out, or set it to multiclass.")
    return Targets(task, classes, indices, known, (f"{task} classification of {where!r}: {why}",), warnings)


def _check_labels(given: list[Any], where: str) -> None:
    odd = next((cell for cell in given if isinstance(cell, list | dict | set | tuple | np.ndarray)), None)
    if odd is not None:
        raise DataError(
            f"a target is a {type(odd).__name__}, not one label", where=where, fix="Give one label or number a row."
        )


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float | np.number) and not isinstance(cell, bool | np.bool_)


def _numbers(given: list[Any]) -> Array | None:
    """Targets as float64 where all are numbers (decimals included); else None."""
    try:
        if all(_is_number(cell) or type(cell).__name__ == "Decimal" for cell in given):
            return np.array([float(cell) for cell in given])
    except (OverflowError, ValueError, TypeError):
        return None
    return None


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


def _infer(given: list[Any], numbers: Array | None, most_classes: int) -> tuple[Task, str]:
    if numbers is None:
        return "multiclass", "its values are labels"
    different = len(np.unique(numbers))
    if different <= 2:
        return "binary", f"it has {different} different values"
    if not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any():
        return "regression", "its values are fractions"
    if different > most_classes or different > len(given) / 2:
        return "regression", f"it has {different:,} different whole numbers"
    return "multiclass", f"it has only {different} different whole numbers (set task='regression' if they are quantities)"


def _classes(given: list[Any], where: str, *, asked: Task | None) -> tuple[tuple[Any, ...], Array]:
    """The labels in order, and each row's index among them."""
    texts = [to_text(cell) or "" for cell in given]
    counts = Counter(texts)
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
    native = {text: _native(cell) for text, cell in zip(texts, given, strict=True)}
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
