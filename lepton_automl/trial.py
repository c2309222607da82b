"""A trial: everything that its events report."""

from __future__ import annotations

from dataclasses import dataclass, field

from .events import ModelRefitted, TrialProposed, TrialResumed
from .jobs import AccelerationResult, Decision, Report, TrialResult
from .profile import Profile
from .resampled import ResampledScores
from .variant import Variant


@dataclass
class Interval:
    """A period in which a worker was busy, or in which the study was idle.

    Args:
        began: Seconds since the epoch.
        ended: Likewise; None while it lasts.
        epoch: Epochs that the trial had completed when it began.
    """

    began: float
    ended: float | None = None
    epoch: int = 0


@dataclass
class Trial:
    """Everything known about a trial."""

    number: int
    proposed: TrialProposed
    reports: list[Report] = field(default_factory=list)
    result: TrialResult | None = None
    ended_at: float | None = None
    retries: int = 0
    resumed: TrialResumed | None = None
    decisions: dict[int, Decision] = field(default_factory=dict)
    accelerated: AccelerationResult | None = None
    refitted: ModelRefitted | None = None  # the model that is handed over was trained again on more rows
    intervals: list[Interval] = field(default_factory=list)  # one, and another each time that it was resumed
    spent: tuple[float, int] = (0.0, 0)  # seconds of search, and epochs of all trials, when it ended
    exceeded_limit: str = ""  # the current hard limit that its artifact exceeds; empty if it meets all

    @property
    def status(self) -> str:
        """`"running"`, or how it ended; whether a finished model is `"infeasible"` depends on the current limits."""
        if self.result is None:
            return "running"
        if self.is_packed:
            return "infeasible" if self.exceeded_limit else "complete"
        return self.result.status

    @property
    def is_packed(self) -> bool:
        """Whether it finished and left an artifact, within the limits or not."""
        return self.result is not None and self.result.status in {"complete", "infeasible"} and bool(self.result.scores)

    @property
    def is_child(self) -> bool:
        """Whether it inherited its weights."""
        return self.proposed.parent is not None

    @property
    def is_ensemble(self) -> bool:
        """Whether it averages the networks of other trials."""
        return bool(self.proposed.members)

    @property
    def has_checkpoint(self) -> bool:
        """Whether it reached a rung, where built-in networks save a checkpoint."""
        return any(report.waits and report.epoch for report in self.reports)

    @property
    def can_resume(self) -> bool:
        """Whether it was stopped early, by the search or by a limit, and left a checkpoint."""
        return self.status in {"stopped", "infeasible"} and not self.is_packed and self.has_checkpoint

    @property
    def profile(self) -> Profile | None:
        """The artifact's profile, or the one taken before training."""
        return self.accelerated.profile if self.accelerated else self.search_profile

    @property
    def search_profile(self) -> Profile | None:
        """The costs that the search compares: those when it was packed, or before training."""
        if self.result and self.result.profile:
            return self.result.profile
        return next((report.profile for report in self.reports if report.profile), None)

    @property
    def variant(self) -> Variant:
        """The runtime and precision of its artifact."""
        return self.accelerated.variant if self.accelerated else Variant()

    @property
    def scores(self) -> dict[str, float]:
        """The artifact's scores; empty if there is none."""
        if self.accelerated:
            return self.accelerated.scores
        return self.result.scores if self.result else {}

    @property
    def resampled(self) -> ResampledScores | None:
        """The artifact's scores on the study's resamples; None if there are none."""
        if self.accelerated:
            return self.accelerated.resampled
        return self.result.resampled if self.result else None

    @property
    def epochs(self) -> int:
        """Epochs trained so far."""
        reported = self.reports[-1].epoch if self.reports else 0
        return max(reported, self.result.epochs) if self.result else reported
