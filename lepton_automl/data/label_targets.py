"""Labels as JSON values, how many rows each needs, and sets of labels. Shared by the tasks that predict labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.calibration import region_quantile
from lepton_automl.cells import is_missing, to_text
from lepton_automl.error_analysis import RegionCoverage, shown_levels
from lepton_automl.errors import DataError

LEAST_ROWS = 2  # per label: one to train on and one to score
INDICATED = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}


class Indicated(list[Any]):
    """The labels of a row that come from several columns of zeros and ones: one in every row if these are one-hot."""


def native_label(cell: Any) -> Any:
    """A label as a JSON value."""
    if isinstance(cell, bool | np.bool_):
        return bool(cell)
    if isinstance(cell, int | float | np.number) and np.isfinite(cell):
        return int(cell) if float(cell).is_integer() else float(cell)
    return to_text(cell)


def check_rows(counts: Mapping[str, int], where: str, noun: str, fix: str) -> None:
    """Check that every label has enough rows.

    Args:
        counts: Rows of each label, by its text.
        where: The target's name.
        noun: The word for a label.
        fix: What to do if a label has too few rows.

    Raises:
        DataError: A label has too few.
    """
    rare = sorted(label for label, count in counts.items() if count < LEAST_ROWS)
    if rare:
        listed = ", ".join(map(repr, rare[:5])) + (" ..." if len(rare) > 5 else "")
        raise DataError(f"a {noun} needs at least {LEAST_ROWS} examples; too few of: {listed}", where=where, fix=fix)


def labels_from_indicators(columns: Mapping[str, Any]) -> Array:
    """Columns of zeros and ones as one list of labels per row, [N] objects; None where every cell of a row is missing.

    Args:
        columns: The cells of each label's column, by the label.

    Raises:
        DataError: A cell is neither zero nor one, true nor false.
    """
    rows = list(zip(*columns.values(), strict=True))
    label_sets = np.empty(len(rows), object)
    for at, cells in enumerate(rows):
        label_sets[at] = (
            None
            if all(map(is_missing, cells))
            else Indicated(label for label, cell in zip(columns, cells, strict=True) if _is_indicated(cell, label))
        )
    return label_sets


def _is_indicated(cell: Any, label: str) -> bool:
    text = (to_text(cell) or "0").lower()
    if text not in INDICATED:
        fix = "Give zeros and ones, or one column with lists of labels."
        raise DataError(f"the column {label!r} holds {cell!r}, which is neither 0 nor 1", where="target", fix=fix)
    return INDICATED[text]


def sets_coverage(likely: Array, truth: Array, regions: Json | None) -> tuple[RegionCoverage, ...]:
    """How many sets of labels hold all labels of their row, and how large they are, by the requested coverage.

    Args:
        likely: Calibrated probabilities [N, K].
        truth: Which labels each row has, [N, K].
        regions: The fitted quantiles; None if there are none.
    """
    shown = []
    for level in shown_levels(regions):
        sets = -likely <= region_quantile(regions, level)[1]
        covered, size, empty = (sets | ~truth).all(1).mean(), sets.sum(1).mean(), (~sets.any(1)).mean()
        shown.append(RegionCoverage(level=level, covered=float(covered), size=float(size), empty=float(empty)))
    return tuple(shown)
