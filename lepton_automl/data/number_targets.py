"""Numeric targets: checks, storage, preview and error analysis. Shared by the tasks that predict numbers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.error_analysis import RegionCoverage, shown_levels
from lepton_automl.errors import DataError
from lepton_automl.task import Analysis, TargetPreview, Targets

from .targets import TargetCells, is_number

FARTHEST = 1e30  # standard deviations; keeps held-out targets finite in float32
BINS = 24  # of a histogram
PAIRS = 1_000  # rows whose truth and answer are kept


def encode_numbers(column: TargetCells, reason: str, task: str, title: str) -> Targets:
    """The targets as numbers [N], float64.

    Raises:
        DataError: Cells hold no numbers, or the numbers are infinite, all equal or too large to be scaled.
    """
    if column.form is None:
        odd = next(cell for cell in column.cells[column.learnt].tolist() if not is_number(cell))
        fix = "Set task to multiclass, or choose a target that holds numbers."
        raise DataError(f"a {title} target must be a number, not {odd!r}", where=column.name, fix=fix)
    numbers, _ = column.form.reader.numbers(column.cells[column.known])
    rows, numbers = column.known[~np.isnan(numbers)], numbers[~np.isnan(numbers)]
    _check(numbers, column.name)
    form = column.form
    note = f"{title} of {column.name!r}{f' ({form.shown})' if form.shown else ''}: {reason}"
    warnings = (*column.lost(rows), *form.warnings)
    return Targets(task=task, classes=(), encoded=numbers, rows=rows, notes=(note, *form.notes), warnings=warnings)


def _check(numbers: Array, column: str) -> None:
    if not np.isfinite(numbers).all():
        count = int((~np.isfinite(numbers)).sum())
        raise DataError(f"{count:,} targets are infinite", where=column, fix="Remove these rows or correct them.")
    if numbers.min() == numbers.max():
        raise DataError(
            f"every target is {numbers[0]:g}", where=column, fix="There is nothing to predict; choose another target."
        )
    with np.errstate(over="ignore"):
        deviation = np.std(numbers)
    if not np.isfinite(deviation):
        raise DataError(
            "the targets are too large to be scaled", where=column, fix="Predict their logarithm, or change the unit."
        )


def standardised(numbers: Array, mean: float, scale: float) -> Array:
    """Numbers in the form in which they are stored, float32."""
    return np.clip((numbers - mean) / scale, -FARTHEST, FARTHEST).astype(np.float32)


def number_preview(values: Array, mean: float) -> TargetPreview:
    """A histogram of numbers in the target's own unit, float64 [N]."""
    counts, steps = np.histogram(values, BINS)
    ends = (float(steps[0]), float(steps[-1]))
    return TargetPreview(histogram=tuple(counts.tolist()), ends=ends, summary=f"{mean:.4g} on average")


def analyze_numbers(answers: Array, truth: Array, worst: int) -> Analysis:
    """The rows with the largest errors, and statistics of all errors.

    Args:
        answers: Values [N] in the target's own unit.
        truth: Likewise.
        worst: Number of rows listed at most.
    """
    far = answers.astype(np.float64) - truth
    distance = np.abs(far)
    wrong = (row for row in np.argsort(-distance, kind="stable").tolist() if short(answers[row]) != short(truth[row]))
    rows = list(islice(wrong, worst))
    listed = [(row, {"truth": short(truth[row]), "answer": short(answers[row]), "loss": float(distance[row])}) for row in rows]
    sample = np.sort(np.random.default_rng(0).permutation(len(truth))[:PAIRS])
    parts = {
        "pairs": tuple((short(truth[row]), short(answers[row])) for row in sample),
        "bias": float(far.mean()),
        "spread": tuple(float(part) for part in np.quantile(distance, (0.5, 0.9, 1.0))),
    }
    return Analysis(worst=listed, parts=parts)


def intervals_coverage(intervals: Callable[[float], Array], truth: Array, regions: Json | None) -> tuple[RegionCoverage, ...]:
    """How many intervals hold the target, and how wide they are, by the requested coverage.

    Args:
        intervals: Returns the ends of the intervals [N, 2] for a coverage.
        truth: Targets [N] in their own unit.
        regions: The fitted quantiles; None if there are none.
    """
    shown = []
    for level in shown_levels(regions):
        low, high = intervals(level).T
        covered, width = ((low <= truth) & (truth <= high)).mean(), (high - low).mean()
        shown.append(RegionCoverage(level=level, covered=float(covered), size=float(width)))
    return tuple(shown)


def short(number: float) -> float:
    """A number rounded to six significant digits, as targets are stored standardised in 32 bits."""
    return float(f"{number:.6g}")
