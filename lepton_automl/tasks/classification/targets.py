"""Labels as class indices."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.cells import to_text
from lepton_automl.data.label_targets import check_rows, native_label
from lepton_automl.data.options import DataOptions
from lepton_automl.data.target_format import label_notes, label_warnings
from lepton_automl.data.targets import TargetCells, is_number
from lepton_automl.errors import DataError
from lepton_automl.notation import means_missing
from lepton_automl.task import Targets

MOST_CLASSES = 10_000
TWO = 2
MANY_CLASSES = 10  # from this number on, classes may be combinations of few labels
SEPARATORS = (";", "|", ",", " ")


def encode_labels(column: TargetCells, options: DataOptions, reason: str, names: tuple[str, str]) -> Targets:
    """Encode labels as class indices.

    Args:
        column: The targets.
        options: The data options; they may name a task.
        reason: Why they are labels, for the notes.
        names: What the task is called with two classes, and with more.

    Raises:
        DataError: There is only one class, a class with a single row, or too many; or more than two for a binary task.
    """
    rows, column_name, form = column.known, column.name, column.form
    if form is not None:  # labels that are numbers: "?" in a test row is not another label
        rows = rows[[not (isinstance(cell, str) and means_missing(cell)) for cell in column.cells[rows].tolist()]]
    labels = column.cells[rows].tolist()
    if form is not None and form.gaps:  # numbers, with some texts such as "?" for missing ones
        numbers, _ = form.reader.numbers(column.cells[rows])
        rows, labels = rows[~np.isnan(numbers)], numbers[~np.isnan(numbers)].tolist()
    classes, indices = _classes(labels, np.isin(rows, column.learnt), column_name, inferred=options.task is None)
    task = names[0] if len(classes) == TWO else names[1]
    if options.task == names[0] and task != names[0]:
        fix = f"Leave task out, or set it to {names[1]}."
        raise DataError(f"{len(classes)} classes are not {names[0]}", where=column_name, fix=fix)
    notes = (f"{task} classification of {column_name!r}: {reason}", *label_notes(classes, labels, column_name))
    warnings = (*column.lost(rows), *label_warnings(classes, column_name), *_set_warnings(classes, column_name))
    return Targets(task=task, classes=classes, encoded=indices, rows=rows, notes=notes, warnings=warnings)


def _set_warnings(classes: tuple[Any, ...], column: str) -> tuple[str, ...]:
    """A warning if many classes are combinations of few labels: "2 5", "2 7" and "5 7" may be sets of labels."""
    texts = [label for label in classes if isinstance(label, str)]
    for separator in SEPARATORS if len(texts) >= MANY_CLASSES else ():
        several = [text for text in texts if separator in text]
        labels = {label.strip() for text in texts for label in text.split(separator)}
        if 2 * len(several) >= len(texts) >= 2 * len(labels):
            made = f"{len(several):,} of the {len(texts):,} classes of {column!r} are made of the same {len(labels):,} labels"
            fix = f"task='multilabel', label_separator={separator!r}"
            return (f"{made}, such as {several[0]!r}: if each is a set of labels, give {fix}",)
    return ()


def _classes(labels: list[Any], learnt: Array, column: str, *, inferred: bool) -> tuple[tuple[Any, ...], Array]:
    """The labels of the rows outside the test split, in order, and each row's index among them."""
    texts = [to_text(cell) or "" for cell in labels]
    counts = Counter(texts)
    first = Counter(text for text, own in zip(texts, learnt.tolist(), strict=True) if own)
    unknown = sorted(set(counts) - set(first))
    if unknown:
        names = ", ".join(map(repr, unknown[:5]))
        fix = "Give training rows of these classes, or leave their test rows out."
        raise DataError(f"no training example is of class {names}", where=column, fix=fix)
    if len(counts) == 1:
        fix = "Give examples of at least two classes."
        raise DataError(f"there is one class only, {texts[0]!r}", where=column, fix=fix)
    if len(counts) > MOST_CLASSES or (inferred and len(counts) > 50 and len(counts) > len(labels) / 2):
        fix = "Choose another target; this one looks like a name, an identifier or free text."
        raise DataError(f"it has {len(counts):,} different labels in {len(labels):,} rows", where=column, fix=fix)
    check_rows(counts, column, "class", "Give more examples of each, merge them into another class, or leave them out.")
    native = {text: native_label(cell) for text, cell, own in zip(texts, labels, learnt.tolist(), strict=True) if own}
    if len({str if isinstance(label, str) else is_number(label) for label in native.values()}) > 1:
        native = {text: text for text in native}  # labels of several types can only be ordered by their texts
    ordered = sorted(native, key=lambda text: native[text])
    index = {text: at for at, text in enumerate(ordered)}
    return tuple(native[text] for text in ordered), np.array([index[text] for text in texts], np.int64)
