"""The request to average the answers of finished models, and its answer."""

from __future__ import annotations

from dataclasses import dataclass

from .jobs import TrialJob, TrialResult
from .request import Request, Response


@dataclass(frozen=True, kw_only=True)
class EnsembleJob(Request):
    """A request after the trials: choose finished models whose mean answers are the most accurate, and pack them as one.

    Args:
        job: The trial that the ensemble becomes.
        bundles: The bundles of the models to choose from, by their trials, the most accurate first.
    """

    job: TrialJob
    bundles: dict[int, str]


@dataclass(frozen=True, kw_only=True)
class EnsembleResult(Response):
    """The answer to an `EnsembleJob`.

    Args:
        members: The trials of its networks; empty if no ensemble is more accurate than the best of them.
        result: How its trial ended; None without members.
    """

    members: tuple[int, ...] = ()
    result: TrialResult | None = None
