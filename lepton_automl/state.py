"""A study replayed from its journal: the one picture that every window shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from . import front
from .choice import choose_model
from .errors import ConfigError, StudyError
from .events import (
    AliasMoved,
    CommandReceived,
    Event,
    HostBenchmarked,
    HyperparametersRanked,
    JournalRepaired,
    ModelAccelerated,
    ModelRegistered,
    Noted,
    StudyConfig,
    StudyEnded,
    StudyPaused,
    StudyResumed,
    StudyStarted,
    TestOpened,
    TrialEnded,
    TrialProposed,
    TrialReported,
    TrialResumed,
    TrialRetried,
)
from .jobs import CONTINUE, AccelerationResult, Decision, Report, TrialResult
from .journal import Journal
from .misfit import misfit
from .no_model_advice import no_model
from .objective import Objective
from .profile import Profile
from .space import Config
from .specs import Deployment
from .variant import Variant

MOST_CHECKPOINTED = 128  # the latest stopped trials, whose checkpoints are kept


@dataclass
class Interval:
    """A time in which a worker had something to do, or in which nobody had.

    Args:
        began: Seconds since the epoch.
        ended: Likewise; None while it lasts.
        epoch: Epochs that the trial had behind it when it began.
    """

    began: float
    ended: float | None = None
    epoch: int = 0


@dataclass
class Trial:
    """One candidate, as far as is known."""

    number: int
    proposed: TrialProposed
    reports: list[Report] = field(default_factory=list)
    result: TrialResult | None = None
    ended_at: float | None = None
    retries: int = 0
    resumed: TrialResumed | None = None
    decisions: dict[int, Decision] = field(default_factory=dict)
    accelerated: AccelerationResult | None = None
    intervals: list[Interval] = field(default_factory=list)  # one, and one more each time that it was thawed
    spent: tuple[float, int] = (0.0, 0)  # seconds of search, and epochs of all trials, when it ended
    broken_limit: str = ""  # the hard limit that its artifact breaks, as limits stand; empty while it keeps them all

    @property
    def status(self) -> str:
        """`"running"`, or how it ended; whether a finished model is `"infeasible"` goes by the limits as they stand."""
        if self.result is None:
            return "running"
        if self.is_packed:
            return "infeasible" if self.broken_limit else "complete"
        return self.result.status

    @property
    def is_packed(self) -> bool:
        """Whether it came to its end and left an artifact, within the limits or not."""
        return self.result is not None and self.result.status in {"complete", "infeasible"} and bool(self.result.scores)

    @property
    def is_child(self) -> bool:
        """Whether it inherited its weights."""
        return self.proposed.parent is not None

    @property
    def has_checkpoint(self) -> bool:
        """Whether it came to a rung, where a network of ours leaves what it can go on from."""
        return any(report.waits and report.epoch for report in self.reports)

    @property
    def can_resume(self) -> bool:
        """Whether it was ended on its way, by the search or by a limit, and left a checkpoint."""
        return self.status in {"stopped", "infeasible"} and not self.is_packed and self.has_checkpoint

    @property
    def profile(self) -> Profile | None:
        """The artifact's profile, or the one taken before training."""
        return self.accelerated.profile if self.accelerated else self.search_profile

    @property
    def search_profile(self) -> Profile | None:
        """What the search knows of its costs: as it was packed, or before training."""
        if self.result and self.result.profile:
            return self.result.profile
        return next((report.profile for report in self.reports if report.profile), None)

    @property
    def variant(self) -> Variant:
        """The runtime and precision of its artifact."""
        return self.accelerated.variant if self.accelerated else Variant()

    @property
    def scores(self) -> dict[str, float]:
        """The artifact's scores; empty where there is none."""
        if self.accelerated:
            return self.accelerated.scores
        return self.result.scores if self.result else {}

    @property
    def epochs(self) -> int:
        """Epochs trained so far."""
        reported = self.reports[-1].epoch if self.reports else 0
        return max(reported, self.result.epochs) if self.result else reported


@dataclass
class StudyState:
    """Everything known about a study. Feed it events in order."""

    config: StudyConfig | None = None
    started: StudyStarted | None = None
    host_benchmark: HostBenchmarked | None = None
    trials: dict[int, Trial] = field(default_factory=dict)
    notes: list[Noted] = field(default_factory=list)
    mlflow_trouble: str = ""  # why MLflow does not show all of the study; empty while it does
    ended: StudyEnded | None = None
    tested: TestOpened | None = None
    registered: list[ModelRegistered] = field(default_factory=list)
    alias_moves: list[AliasMoved] = field(default_factory=list)  # aliases of registered models
    commands: list[CommandReceived] = field(default_factory=list)
    paused: StudyPaused | None = None
    running: dict[int, Trial] = field(default_factory=dict)
    checkpointed: dict[int, Trial] = field(default_factory=dict)  # stopped, and able to go on
    epochs: int = 0  # spent on all trials
    ends: int = 0  # of trials; one that was thawed ends again
    ranked: HyperparametersRanked | None = None
    rests: list[Interval] = field(default_factory=list)  # the study was paused, ended or had lost its process
    pinned: Config = field(default_factory=dict)  # the hyperparameters that proposals hold
    idle: float = 0.0  # seconds in which the study was paused, ended or had lost its process
    last_at: float = 0.0
    repairs: int = 0  # of the journal
    _front: list[Trial] = field(default_factory=list)

    @classmethod
    def replay(cls, journal: Journal) -> StudyState:
        """The state that a journal leads to."""
        return cls().feed(event for _, event in journal.read())

    def feed(self, events: Iterable[Event]) -> StudyState:
        """Take in events; returns itself."""
        for event in events:
            self.apply(event)
        return self

    def apply(self, event: Event) -> bool:  # noqa: PLR0912  # one branch a kind of event
        """Take in one event; false, and nothing is changed, where it cannot follow what is known (see `misfit`)."""
        if misfit(self, event):
            return False
        match event:
            case StudyStarted():
                self.config, self.started = event.config, event
            case HostBenchmarked():
                self.host_benchmark = event
            case TrialProposed():
                trial = self.trials[event.trial] = self.running[event.trial] = Trial(event.trial, event)
                trial.intervals.append(Interval(event.at))
            case TrialReported():
                self._report(self.trials[event.report.trial], event)
            case TrialRetried():
                self.trials[event.trial].retries += event.counted
            case TrialResumed():
                self._thaw(self.trials[event.trial], event)
            case TrialEnded():
                self._end(self.trials[event.result.trial], event)
            case CommandReceived():
                self._ask(event)
            case StudyPaused():
                self.paused = event
            case StudyResumed():
                rest = Interval(self._still(self.last_at), event.at)
                self.idle += max(0.0, event.at - rest.began)
                self.rests.append(rest)
                self.paused = self.ended = None
            case Noted():
                self.notes.append(event)
                if event.subject == "mlflow":
                    self.mlflow_trouble = event.text if event.level != "info" else ""
            case ModelAccelerated():
                self.trials[event.result.trial].accelerated = event.result
                self._stand_anew()
            case HyperparametersRanked():
                self.ranked = event
            case StudyEnded():
                self.ended = event if self._stands_still(event.chosen) else event.replace(chosen=self._choice())
            case TestOpened():
                known = {trial: scores for trial, scores in event.scores.items() if trial in self.trials}
                self.tested = event.replace(scores=known)
            case ModelRegistered():
                self.registered.append(event)
            case AliasMoved():
                self.alias_moves.append(event)
            case JournalRepaired():
                self.repairs += 1
        self.last_at = max(self.last_at, event.at)
        return True

    def _stands_still(self, chosen: int | None) -> bool:
        """Whether the chosen trial is known and has a model; not so where lines of the journal were lost."""
        return chosen is None or (chosen in self.trials and self.trials[chosen].is_packed)

    def _choice(self) -> int | None:
        return self.choose().number if self._front else None

    def _report(self, trial: Trial, event: TrialReported) -> None:
        before = trial.epochs
        trial.reports.append(event.report)
        trial.decisions[event.report.epoch] = event.decision
        self.epochs += trial.epochs - before

    def _thaw(self, trial: Trial, event: TrialResumed) -> None:
        trial.resumed, trial.result, trial.ended_at = event, None, None
        trial.intervals.append(Interval(event.at, epoch=event.epoch))
        trial.decisions = {epoch: CONTINUE if decision.stop else decision for epoch, decision in trial.decisions.items()}
        self.running[trial.number] = self.checkpointed.pop(trial.number, trial)

    def _end(self, trial: Trial, event: TrialEnded) -> None:
        before = trial.epochs
        trial.result, trial.ended_at = event.result, event.at
        self.ends += 1
        self.running.pop(trial.number, None)
        self.epochs += trial.epochs - before
        trial.intervals[-1].ended, trial.spent = event.at, (self.spent(event.at), self.epochs)
        if trial.is_packed:
            trial.broken_limit = self._broken(trial.search_profile)
        if trial.status == "complete":
            self._stand(trial)
        elif trial.can_resume and self.settings.factory is None:
            self.checkpointed[trial.number] = trial
            if len(self.checkpointed) > MOST_CHECKPOINTED:
                del self.checkpointed[next(iter(self.checkpointed))]

    def _stand_anew(self) -> None:
        """Draw the front again: an artifact or a limit is not what it was."""
        self._front = []
        for trial in self.trials.values():
            if trial.status == "complete":
                self._stand(trial)

    def _stand(self, trial: Trial) -> None:
        """Let a complete trial take its place on the front, where it is not dominated; of equal ones the first stands."""
        costs = self._costs(trial)
        if math.isnan(sum(costs)):
            return
        others = [(member, self._costs(member)) for member in self._front]
        if any(all(a <= b for a, b in zip(theirs, costs, strict=True)) for _, theirs in others):
            return
        left = [(member, theirs) for member, theirs in others if not front.dominates(costs, theirs)]
        self._front = [member for member, _ in sorted([*left, (trial, costs)], key=lambda pair: (*pair[1], pair[0].number))]

    def _ask(self, event: CommandReceived) -> None:
        self.commands.append(event)
        if event.what == "extend" and event.budget is not None:
            self.config = self.settings.replace(budget=event.budget)
        elif event.what == "limit" and event.deployment is not None:
            self._limit(event.deployment)
        elif event.what == "pin":
            self.pinned = self.pinned | event.config
        elif event.what == "unpin":
            self.pinned = {name: setting for name, setting in self.pinned.items() if name not in event.hyperparameters}

    def _limit(self, deployment: Deployment) -> None:
        """Go by other hard limits: models leave the front, and come back."""
        self.config = self.settings.replace(deployment=deployment)
        for trial in filter(lambda trial: trial.is_packed, self.trials.values()):
            trial.broken_limit = self._broken(trial.profile)
        self._stand_anew()
        if self.ended:
            self.ended = self.ended.replace(chosen=self._choice())

    def within_limits(self, trial: Trial) -> bool:
        """Whether what the search knows of a trial's costs keeps the hard limits as they stand."""
        return not self._broken(trial.search_profile)

    def _broken(self, profile: Profile | None) -> str:
        return self.settings.deployment.broken_limit(profile) if profile else ""

    def spent(self, now: float) -> float:
        """Seconds that the search has been at work since it began."""
        return self._still(now) - self.started.at - self.idle if self.started else 0.0

    def _still(self, otherwise: float) -> float:
        """Since when nothing is at work."""
        return self.paused.at if self.paused else self.ended.at if self.ended else otherwise

    @property
    def settings(self) -> StudyConfig:
        """The configuration.

        Raises:
            StudyError: The journal holds none.
        """
        if self.config is None:
            raise StudyError("the journal holds no study", fix="Start one: AutoML().fit(data).")
        return self.config

    def last_score(self, trial: Trial) -> float:
        """A trial's score, or how it stood when it was last scored; NaN where it never was."""
        metric = self.settings.metric
        reports = [report.scores for report in trial.reports] + ([trial.result.scores] if trial.result else [])
        return next((scores[metric] for scores in reversed(reports) if metric in scores), math.nan)

    def value(self, trial: Trial, objective: Objective) -> float:
        """One objective's value for a trial's artifact; NaN where it is not known."""
        return self._value(objective, trial.scores, trial.profile)

    def search_value(self, trial: Trial, objective: Objective) -> float:
        """The same as the search compares trials: all in one runtime, whatever the artifact came to be later."""
        return self._value(objective, trial.result.scores if trial.result else {}, trial.search_profile)

    def _value(self, objective: Objective, scores: dict[str, float], profile: Profile | None) -> float:
        if objective.is_score:
            return scores.get(self.settings.metric, math.nan)
        if profile is None:
            return math.nan
        return profile.value(objective.name)

    def costs(self, trials: list[Trial]) -> front.Costs:
        """Shape (trials, objectives), all to be minimised."""
        import numpy as np  # here: `lepton status` does without

        rows = [self._costs(trial) for trial in trials]
        return np.array(rows, dtype=np.float64).reshape(len(trials), len(self.settings.objectives))

    def _costs(self, trial: Trial) -> list[float]:
        return [goal.cost(self.value(trial, goal)) for goal in self.settings.objectives]

    def front(self) -> list[Trial]:
        """The completed trials that no other dominates, best score first."""
        return list(self._front)

    def score(self, trial: Trial) -> float:
        """The study's metric for a completed trial, on the validation split."""
        return self.value(trial, self.settings.objectives[0])

    def choose(
        self,
        *,
        max_latency_ms: float | None = None,
        min_score: float | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> Trial:
        """A model from the front; see `choice.choose_model`."""
        return choose_model(self, max_latency_ms=max_latency_ms, min_score=min_score, limits=limits)

    def no_model(self) -> StudyError:
        """Why there is nothing to choose from."""
        return no_model(self)

    def trial(self, number: int) -> Trial:
        """One trial.

        Raises:
            ConfigError: There is no such trial.
        """
        if number not in self.trials:
            raise ConfigError(f"there is no trial {number}", where=self.settings.name, fix=f"It has {len(self.trials)}.")
        return self.trials[number]
