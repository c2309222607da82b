"""What a model gets wrong: a value that is worked out once and shown by every window."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from ._json import Value
from .jobs import TrialJob
from .request import Request, Response

AnalysisSplit = Literal["validation", "held-out", "test"]
HELD_OUT = "held-out.npy"  # in a trial's folder: what its networks answered on the folds that each had not seen


@dataclass(frozen=True, kw_only=True)
class ErrorAnalysisJob(Request):
    """An errand: look at what a finished model gets wrong.

    Args:
        trial: The job that the model came from.
        bundle: Its bundle's folder.
        split: The rows that it is asked; of cross-validated scores `"held-out"`, all rows, each asked of the network of the same
            recipe that was taught without it; the test rows only where the sealed split was opened before.
        worst: So many examples are shown: wrong answers, those with the highest loss.
    """

    trial: TrialJob
    bundle: str
    split: AnalysisSplit = "validation"
    worst: int = 12


@dataclass(frozen=True, kw_only=True)
class Example(Value):
    """One row that a model was asked.

    Args:
        row: Its place in the split, from 0.
        truth: Its label, or its value in the target's own unit.
        answer: What the model said.
        loss: Minus the logarithm of the truth's probability, or the distance from the truth.
        sure: The probability of the answer; None for a number.
        picture: A PNG in base64, of an image; else empty.
        cells: A table's columns and their values, in the units that the person gave them; a cell that the model does not
            know (missing, rare or new) is None.
    """

    row: int
    truth: Any
    answer: Any
    loss: float
    sure: float | None = None
    picture: str = ""
    cells: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ClassScore(Value):
    """How a model does on one class.

    Args:
        label: The class.
        rows: Rows of it.
        answered: Rows that the model said were of it.
        right: Rows of it that the model said were of it.
    """

    label: Any
    rows: int
    answered: int
    right: int

    @property
    def precision(self) -> float | None:
        """Share of its answers that are right; None where it never gave this one."""
        return self.right / self.answered if self.answered else None

    @property
    def recall(self) -> float | None:
        """Share of the rows that it found; None where there is none."""
        return self.right / self.rows if self.rows else None


@dataclass(frozen=True, kw_only=True)
class CalibrationBin(Value):
    """Rows of which a model was about equally sure.

    Args:
        low: The least probability of its answer.
        high: The greatest.
        rows: How many rows.
        sure: Mean probability of the answers.
        right: Share of the answers that are right.
    """

    low: float
    high: float
    rows: int
    sure: float
    right: float


@dataclass(frozen=True, kw_only=True)
class ErrorAnalysis(Response):
    """The answer to an `ErrorAnalysisJob`.

    Args:
        trial: The model's trial.
        split: The rows that it was asked.
        rows: How many.
        task: What it predicts.
        target: What that is called.
        scores: Every score of the task on these rows.
        worst: Wrong answers, those with the highest loss first; empty where all are right.
        classes: How it does on each class, in the order of its outputs; empty for numbers.
        confusion: Rows by class: index of the truth, index of the answer, how many; pairs without rows are left out.
        calibration: How often it is right, by how sure it is; bins without rows are left out.
        calibration_error: The mean distance between the two, each row counting once; `calibration_verdict` tells what it is worth.
        pairs: Truth and answer of rows that predict a number; a thousand at most, drawn evenly.
        bias: Mean of answer minus truth, where a number is predicted.
        spread: The distances from the truth that half, nine in ten, and all rows keep within.
        coverage: Of each quantile, and the share of the targets that lie below it; empty where none are predicted.
        wrong_rows: Rows with a wrong label, where a row may have several; else 0.
    """

    trial: int
    split: AnalysisSplit
    rows: int
    task: str
    target: str
    scores: dict[str, float]
    worst: tuple[Example, ...] = ()
    classes: tuple[ClassScore, ...] = ()
    confusion: tuple[tuple[int, int, int], ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()
    calibration_error: float | None = None
    pairs: tuple[tuple[float, float], ...] = ()
    bias: float | None = None
    spread: tuple[float, ...] = ()
    coverage: tuple[tuple[float, float], ...] = ()
    wrong_rows: int = 0

    @property
    def wrong(self) -> int:
        """Rows of another class than the model said."""
        return self.wrong_rows + sum(count for truth, answer, count in self.confusion if truth != answer)

    def confusions(self, most: int = 5) -> list[tuple[Any, Any, int]]:
        """The classes that are taken for others most often: truth, answer, rows."""
        wrong = sorted((pair for pair in self.confusion if pair[0] != pair[1]), key=lambda pair: -pair[2])
        return [(self.classes[truth].label, self.classes[answer].label, count) for truth, answer, count in wrong[:most]]

    @property
    def calibration_verdict(self) -> str:
        """Whether its probabilities are calibrated, in a sentence; empty for numbers."""
        return calibration_verdict(self.calibration, self.split)


NEAR = 0.05  # within this of the truth, on average, probabilities count as calibrated
STANDARD_ERRORS = 1.96  # of a 95 % interval


def calibration_verdict(bins: tuple[CalibrationBin, ...], split: str) -> str:
    """Whether probabilities are calibrated, for the model card and the report; decided only where there are enough rows.

    They are where the true mean distance is below `NEAR` at the upper end of its 95 % interval, every bin taken
    as far off as Wilson's interval (Probable Inference, 1927) has its middle; they are not where the distance is greater
    than two standard deviations of what chance alone would make it, if they were calibrated.

    Args:
        bins: How often it is right, by how sure it is; empty where it has no probabilities.
        split: The rows that it was asked, by name.
    """
    rows = sum(band.rows for band in bins)
    if not rows:
        return ""
    error = sum(band.rows * abs(band.sure - band.right) for band in bins) / rows
    most, luck = _at_most(bins, rows), _by_luck(bins, rows)
    finding = f"on {rows:,} {split} rows they are off by {_points(error)} on average"
    if most <= NEAR:
        return f"Its probabilities are calibrated: {finding}, and by {_points(most)} at most (95 % interval)."
    if error <= luck:
        return (
            f"There are too few rows to judge the calibration of its probabilities: {finding}, and chance alone explains up to "
            f"{_points(luck)} of that. Use them to rank, not as calibrated probabilities."
        )
    modest = sum(band.rows * (band.right - band.sure) for band in bins) > 0
    side = (
        "more often right than it is sure; training on softened labels does that"
        if modest
        else "less often right than it is sure"
    )
    return f"Its probabilities are not calibrated: {finding}, more than chance explains. It is {side}. Use them to rank, not as calibrated probabilities."


def _at_most(bins: tuple[CalibrationBin, ...], rows: int) -> float:
    """The upper end of the interval of the mean distance."""
    distance = variance = 0.0
    for band in bins:
        square = STANDARD_ERRORS**2 / band.rows
        middle = (band.right + square / 2) / (1 + square)
        share = band.rows / rows
        distance += share * abs(middle - band.sure)
        variance += share**2 * (band.right * (1 - band.right) + square / 4) / band.rows / (1 + square) ** 2
    return distance + STANDARD_ERRORS * math.sqrt(variance)


def _by_luck(bins: tuple[CalibrationBin, ...], rows: int) -> float:
    """The mean distance that luck makes on so many rows, were all probabilities right, and two standard deviations more."""
    mean = variance = 0.0
    for band in bins:
        spread, share = band.sure * (1 - band.sure) / band.rows, band.rows / rows
        mean += share * math.sqrt(2 / math.pi * spread)
        variance += share**2 * (1 - 2 / math.pi) * spread
    return mean + 2 * math.sqrt(variance)


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
