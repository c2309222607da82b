"""Sets of labels as rows of zeros and ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.cells import to_text
from lepton_automl.data.label_targets import LEAST_ROWS, check_rows, native_label
from lepton_automl.data.target_format import label_warnings
from lepton_automl.data.targets import TargetCells
from lepton_automl.errors import DataError
from lepton_automl.task import Targets

SEPARATORS = (";", "|", ",")
MOST_LABELS = 2_000


def is_label_set(cell: Any) -> bool:
    """Whether a cell holds several labels as a collection."""
    return isinstance(cell, list | tuple | set | frozenset) or (isinstance(cell, np.ndarray) and cell.ndim == 1)


def encode_label_sets(column: TargetCells, task: str, reason: str, separator: str | None) -> Targets:
    """float32 [N, labels], 1 where a row has the label.

    Args:
        column: Collections of labels, or texts of labels with a separator between them.
        task: The task's name, for the notes.
        reason: Why it was chosen, likewise.
        separator: The separator between the labels of a text; None to infer it.

    Raises:
        DataError: A cell is neither, or a label has too few rows or occurs only in test rows.
    """
    cells = column.cells[column.known].tolist()
    if not all(map(is_label_set, cells)):
        odd = next((cell for cell in cells if not (is_label_set(cell) or isinstance(cell, str))), None)
        if odd is not None:
            fix = "Give a list of labels in every row, or texts such as 'a;b'."
            raise DataError(f"a target is {odd!r}, which is not a set of labels", where=column.name, fix=fix)
        separator = separator or _separator([cell for cell in cells if isinstance(cell, str)], column.name)
        cells = [cell.split(separator) if isinstance(cell, str) else cell for cell in cells]
    rows = [[text for label in cell if (text := to_text(label)) is not None] for cell in cells]
    native = {text: native_label(label) for cell in cells for label in cell if (text := to_text(label)) is not None}
    if len({isinstance(label, str) for label in native.values()}) > 1:
        native = {text: text for text in native}  # labels of several types can only be ordered by their texts
    outside_test = np.isin(column.known, column.learnt).tolist()
    counts = Counter(text for row, own in zip(rows, outside_test, strict=True) if own for text in set(row))
    _check(rows, counts, column.name)
    ordered = sorted(counts, key=lambda text: native[text])
    place = {text: at for at, text in enumerate(ordered)}
    encoded = np.zeros((len(rows), len(ordered)), np.float32)
    for row, labels in enumerate(rows):
        encoded[row, [place[text] for text in labels]] = 1.0
    classes = tuple(native[text] for text in ordered)
    mean = encoded.sum(1).mean()
    note = f"multi-label classification of {column.name!r} into {len(classes)} labels, {mean:.2g} a row: {reason}"
    warnings = (*column.lost(column.known), *label_warnings(classes, column.name))
    return Targets(task=task, classes=classes, encoded=encoded, rows=column.known, notes=(note,), warnings=warnings)


def _separator(texts: list[str], column: str) -> str:
    """The separator between the labels of texts: the first of `;`, `|` and `,` that occurs."""
    for separator in SEPARATORS:
        if any(separator in text for text in texts):
            return separator
    fix = "Set label_separator, or give lists of labels."
    raise DataError(f"no text holds a separator between labels ({' '.join(SEPARATORS)})", where=column, fix=fix)


def _check(rows: list[list[str]], counts: Counter[str], column: str) -> None:
    everywhere = Counter(text for row in rows for text in set(row))
    unknown = sorted(set(everywhere) - set(counts))
    if unknown:
        fix = "Give training rows with these labels, or leave their test rows out."
        raise DataError(f"no training example has the label {', '.join(map(repr, unknown[:5]))}", where=column, fix=fix)
    if len(counts) < LEAST_ROWS:
        only = f"one label only, {next(iter(counts))!r}" if counts else "no label at all"
        raise DataError(f"there is {only}", where=column, fix="Give examples of at least two labels.")
    if len(counts) > MOST_LABELS:
        fix = "Choose another target; this one looks like free text."
        raise DataError(f"it has {len(counts):,} different labels", where=column, fix=fix)
    check_rows(everywhere, column, "label", "Give more examples of each, or leave these labels out.")


def rarest_labels(encoded: Array) -> Array:
    """The rarest label of each row, int64 [N]; the number of labels for a row without labels."""
    counts = encoded.sum(0)
    weighted = np.where(encoded > 0, counts, np.inf)
    rarest: Array = np.where(np.isfinite(weighted.min(1)), weighted.argmin(1), encoded.shape[1])
    return rarest.astype(np.int64)
