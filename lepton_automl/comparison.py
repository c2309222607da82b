"""The comparison of two finished models on the same rows: whether one is better, or the difference may be chance."""

from __future__ import annotations

from dataclasses import dataclass

from .error_analysis import AnalysisSplit
from .jobs import TrialJob
from .metric import ScoreDifference
from .request import Request, Response


@dataclass(frozen=True, kw_only=True)
class ComparisonJob(Request):
    """A request after the search: compare two finished models.

    Args:
        trials: The jobs that the models came from.
        bundles: Their bundles' folders.
        split: The rows to compare them on; see `ErrorAnalysisJob`.
    """

    trials: tuple[TrialJob, TrialJob]
    bundles: tuple[str, str]
    split: AnalysisSplit = "validation"


@dataclass(frozen=True, kw_only=True)
class Comparison(Response):
    """The answer to a `ComparisonJob`.

    Args:
        rows: How many rows were compared.
        scores: Each score of both models, and the interval of its difference.
    """

    rows: int
    scores: dict[str, ScoreDifference]
