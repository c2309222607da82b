"""What matters to a finished model: how much worse it becomes without a column, or without a region of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ._json import Value
from .jobs import TrialJob
from .request import Request, Response

ImportanceSplit = Literal["validation", "test", "train"]
ROWS, REPEATS, SECONDS = 1_000, 5, 5.0


@dataclass(frozen=True, kw_only=True)
class PermutationImportanceJob(Request):
    """A request after the search: measure the importance of the parts of a finished model's input.

    Args:
        trial: The job that the model came from.
        bundle: Its bundle's folder.
        split: The rows to score. `"train"` is for cross-validated scores, as the model has learned from all rows then. `"test"` is
            allowed only after the test split was opened.
        repeats: How often each column is permuted.
        rows: Rows at most, drawn at random.
        seconds: Time limit: fewer repeats, then fewer rows, then fewer parts are used where it would be exceeded.
    """

    trial: TrialJob
    bundle: str
    split: ImportanceSplit = "validation"
    repeats: int = REPEATS
    rows: int = ROWS
    seconds: float = SECONDS


@dataclass(frozen=True, kw_only=True)
class PartImportance(Value):
    """The importance of a column, or of a region of the image.

    Args:
        name: The column's name, or the region's row and column in the grid, from 1.
        drop: How much worse the study's metric is without it, the mean over repeats: below 0 if the metric is better without it.
        deviation: Standard deviation over repeats; 0 if there was only one.
    """

    name: str
    drop: float
    deviation: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PermutationImportance(Response):
    """The answer to a `PermutationImportanceJob`.

    Args:
        trial: The model's trial.
        split: The rows that were scored.
        metric: The study's metric.
        score: The model's score on these rows.
        rows: Number of rows.
        split_rows: Number of rows of the whole split.
        repeats: How often each part was perturbed; 1 for regions, as what replaces them is fixed.
        parts: Columns, the most important first; or regions, row by row.
        grid: Rows and columns of the regions; empty for columns.
        picture: The mean image of the rows, which the regions are parts of, as a PNG in base64; empty for columns.
        left_out: Columns for which there was no time.
        left_out_drop: How much worse the metric is without all of them; None if none are left out.
    """

    trial: int
    split: ImportanceSplit
    metric: str
    score: float
    rows: int
    split_rows: int
    repeats: int
    parts: tuple[PartImportance, ...]
    grid: tuple[int, ...] = ()
    picture: str = ""
    left_out: tuple[str, ...] = ()
    left_out_drop: float | None = None

    @property
    def ranked(self) -> tuple[PartImportance, ...]:
        """The parts, the most important first."""
        return tuple(sorted(self.parts, key=lambda part: -part.drop))
