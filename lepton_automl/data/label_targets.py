"""Labels as JSON can hold them, and their weights. Shared by the tasks that predict labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.cells import is_missing, to_text
from lepton_automl.errors import DataError

INDICATED = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}


def native_label(cell: Any) -> Any:
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


def indicated_labels(columns: Mapping[str, Any]) -> Array:
    """Columns of zeros and ones as one list of labels a row, [N] objects; None where every cell of a row is missing.

    Args:
        columns: The cells of each label's column, by the label.

    Raises:
        DataError: A cell is neither zero nor one, true nor false.
    """
    rows = list(zip(*columns.values(), strict=True))
    found = np.empty(len(rows), object)
    for at, cells in enumerate(rows):
        found[at] = (
            None
            if all(map(is_missing, cells))
            else [label for label, cell in zip(columns, cells, strict=True) if _is_indicated(cell, label)]
        )
    return found


def _is_indicated(cell: Any, label: str) -> bool:
    text = (to_text(cell) or "0").lower()
    if text not in INDICATED:
        fix = "Give zeros and ones, or one column with lists of labels."
        raise DataError(f"the column {label!r} holds {cell!r}, which is neither 0 nor 1", where="target", fix=fix)
    return INDICATED[text]
