"""What a model gets wrong: a value that is computed once and shown by every view."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from ._json import Value
from .jobs import TrialJob
from .request import Request, Response

AnalysisSplit = Literal["validation", "held-out", "test"]
HELD_OUT = "held-out.npy"  # in a trial's folder: its networks' answers, each on the fold that it was not trained on


@dataclass(frozen=True, kw_only=True)
class ErrorAnalysisJob(Request):
    """A request after the search: analyze the errors of a finished model.

    Args:
        trial: The job that the model came from.
        bundle: Its bundle's folder.
        split: The rows to predict. `"held-out"` is for cross-validated scores: all rows, each predicted by the network of the
            same recipe that was trained without it. `"test"` is allowed only after the test split was opened.
        worst: Number of examples to show: the wrong answers with the highest loss.
    """

    trial: TrialJob
    bundle: str
    split: AnalysisSplit = "validation"
    worst: int = 12


@dataclass(frozen=True, kw_only=True)
class Example(Value):
    """One row and a model's answer.

    Args:
        row: Its index in the split, from 0.
        truth: Its label, or its value in the target's own unit.
        answer: The model's answer.
        loss: Minus the logarithm of the truth's probability, or the distance from the truth.
        sure: The probability of the answer; None for a number.
        picture: An image as a PNG in base64; else empty.
        cells: A table's columns and their values, in the units of the source; a cell that the model does not
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
    """A model's results on one class.

    Args:
        label: The class.
        rows: Rows of this class.
        answered: Rows that the model assigns to this class.
        right: Rows of this class that the model assigns to it.
    """

    label: Any
    rows: int
    answered: int
    right: int

    @property
    def precision(self) -> float | None:
        """Share of the rows assigned to the class that are right; None if there are none."""
        return self.right / self.answered if self.answered else None

    @property
    def recall(self) -> float | None:
        """Share of the rows of the class that are assigned to it; None if there are none."""
        return self.right / self.rows if self.rows else None


@dataclass(frozen=True, kw_only=True)
class CalibrationBin(Value):
    """Rows whose answers have similar probabilities.

    Args:
        low: Lower edge of the bin.
        high: Upper edge of the bin.
        rows: Number of rows.
        sure: Mean probability of the answers.
        right: Share of the answers that are right.
    """

    low: float
    high: float
    rows: int
    sure: float
    right: float


@dataclass(frozen=True, kw_only=True)
class RegionCoverage(Value):
    """The prediction sets or intervals of some rows at one requested coverage.

    Args:
        level: The requested coverage.
        covered: Share of the rows whose set or interval holds the truth.
        size: Labels in a set, or the width of an interval in the target's own unit; the mean over rows.
        empty: Share of the rows whose set has no label.
    """

    level: float
    covered: float
    size: float
    empty: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ErrorAnalysis(Response):
    """The answer to an `ErrorAnalysisJob`.

    Args:
        trial: The model's trial.
        split: The rows that were predicted.
        rows: Number of rows.
        task: The name of the task.
        target: The name of the target.
        scores: Every score of the task on these rows.
        worst: Wrong answers, those with the highest loss first; empty if all are right.
        classes: Results on each class, in the order of the outputs; empty for numbers.
        confusion: Confusion matrix: index of the truth, index of the answer, number of rows; pairs without rows are left out.
        calibration: Share of right answers by their probability; bins without rows are left out.
        calibration_error: The mean distance between the two, weighted by rows; `calibration_verdict` interprets it. If a row may
            have several labels, that between each label's probability and its frequency.
        uncalibrated_error: The same before probabilities were scaled by a temperature; None if they were not.
        pairs: Truth and answer of rows with a numeric target; at most a thousand, sampled uniformly.
        bias: Mean of answer minus truth, for numbers.
        spread: The median, the 90 % quantile and the maximum of the distance from the truth.
        coverage: Each quantile, and the share of targets below its prediction; empty if no quantiles are predicted.
        wrong_rows: Rows with a wrong label, if a row may have several; else 0.
        regions: Prediction sets or intervals at some levels of coverage; empty if the model has none.
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
    uncalibrated_error: float | None = None
    pairs: tuple[tuple[float, float], ...] = ()
    bias: float | None = None
    spread: tuple[float, ...] = ()
    coverage: tuple[tuple[float, float], ...] = ()
    wrong_rows: int = 0
    regions: tuple[RegionCoverage, ...] = ()

    @property
    def wrong(self) -> int:
        """Number of rows with a wrong class or label."""
        return self.wrong_rows + sum(count for truth, answer, count in self.confusion if truth != answer)

    def confusions(self, most: int = 5) -> list[tuple[Any, Any, int]]:
        """The most frequent confusions of classes: truth, answer, rows."""
        wrong = sorted((pair for pair in self.confusion if pair[0] != pair[1]), key=lambda pair: -pair[2])
        return [(self.classes[truth].label, self.classes[answer].label, count) for truth, answer, count in wrong[:most]]

    @property
    def calibration_verdict(self) -> str:
        """Whether its probabilities are calibrated, in a sentence or two; empty for numbers."""
        return with_scaling(calibration_verdict(self.calibration, self.split), self.calibration_error, self.uncalibrated_error)


SHOWN_LEVELS = (0.8, 0.9, 0.95, 0.99)  # of coverage, in reports


def shown_levels(regions: dict[str, Any] | None) -> list[float]:
    """The levels of coverage that a report shows: those that the rows of the calibration suffice for."""
    return [level for level in SHOWN_LEVELS if regions and level <= regions["levels"][-1]]


def with_scaling(verdict: str, error: float | None, before: float | None) -> str:
    """A verdict on probabilities, and what temperature scaling changed if they were scaled.

    Args:
        verdict: A sentence; empty if a row may have several labels.
        error: The calibration error.
        before: The same before scaling; None if probabilities were not scaled.
    """
    if error is None or before is None:
        return verdict
    scaled = "Without temperature scaling they would be off by"
    if not verdict:
        return f"Its probabilities are off by {_points(error)} on average. {scaled} {_points(before)}."
    return f"{verdict} {scaled} {_points(before)}."


NEAR = 0.05  # within this of the truth, on average, probabilities count as calibrated
STANDARD_ERRORS = 1.96  # of a 95 % interval


def calibration_verdict(bins: tuple[CalibrationBin, ...], split: str) -> str:
    """Whether probabilities are calibrated, for the model card and the report; decided only if there are enough rows.

    They are calibrated if the upper end of the 95 % interval of the mean distance is at most `NEAR`, with the centre of
    Wilson's interval (Probable Inference, 1927) as each bin's share of right answers. They are not calibrated if the distance
    exceeds what chance alone would cause, plus two standard deviations, for calibrated probabilities.

    Args:
        bins: Share of right answers by their probability; empty if there are no probabilities.
        split: The name of the rows' split.
    """
    rows = sum(band.rows for band in bins)
    if not rows:
        return ""
    error = sum(band.rows * abs(band.sure - band.right) for band in bins) / rows
    upper, chance = _upper_bound(bins, rows), _explained_by_chance(bins, rows)
    finding = f"on {rows:,} {split} rows they are off by {_points(error)} on average"
    if upper <= NEAR:
        return f"Its probabilities are calibrated: {finding}, and by {_points(upper)} at most (95 % interval)."
    if error <= chance:
        return (
            f"There are too few rows to judge the calibration of its probabilities: {finding}, and chance alone explains up to "
            f"{_points(chance)} of that. Use them to rank, not as calibrated probabilities."
        )
    underconfident = sum(band.rows * (band.right - band.sure) for band in bins) > 0
    side = "underconfident, as often after training on softened labels" if underconfident else "overconfident"
    return f"Its probabilities are not calibrated: {finding}, more than chance explains. It is {side}. Use them to rank, not as calibrated probabilities."


def _upper_bound(bins: tuple[CalibrationBin, ...], rows: int) -> float:
    """The upper end of the 95 % interval of the mean distance."""
    distance = variance = 0.0
    for band in bins:
        square = STANDARD_ERRORS**2 / band.rows
        middle = (band.right + square / 2) / (1 + square)
        share = band.rows / rows
        distance += share * abs(middle - band.sure)
        variance += share**2 * (band.right * (1 - band.right) + square / 4) / band.rows / (1 + square) ** 2
    return distance + STANDARD_ERRORS * math.sqrt(variance)


def _explained_by_chance(bins: tuple[CalibrationBin, ...], rows: int) -> float:
    """The mean distance that chance causes on this many rows if all probabilities are right, plus two standard deviations."""
    mean = variance = 0.0
    for band in bins:
        spread, share = band.sure * (1 - band.sure) / band.rows, band.rows / rows
        mean += share * math.sqrt(2 / math.pi * spread)
        variance += share**2 * (1 - 2 / math.pi) * spread
    return mean + 2 * math.sqrt(variance)


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
