"""The state of a study, replayed from its journal: every view shows this state."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from . import front
from .choice import choose_model
from .credible import StudyFront
from .errors import ConfigError, StudyError
from .events import (
    AliasMoved,
    CommandReceived,
    Event,
    HostBenchmarked,
    HyperparametersRanked,
    JournalRepaired,
    ModelAccelerated,
    ModelRefitted,
    ModelRegistered,
    Noted,
    ReferencesScored,
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
    UserNote,
)
from .inconsistency import inconsistency
from .jobs import CONTINUE
from .journal import Journal
from .no_model_advice import no_model
from .objective import Objective
from .profile import Profile
from .reference_scores import ReferenceScores
from .space import Config
from .specs import Deployment
from .study_config import StudyConfig
from .trial import Interval, Trial

MOST_CHECKPOINTED = 128  # the latest stopped trials, whose checkpoints are kept


@dataclass
class StudyState:
    """Everything known about a study. Feed it events in order."""

    config: StudyConfig | None = None
    started: StudyStarted | None = None
    host_benchmark: HostBenchmarked | None = None
    trials: dict[int, Trial] = field(default_factory=dict)
    notes: list[Noted] = field(default_factory=list)
    user_notes: list[UserNote] = field(default_factory=list)
    mlflow_trouble: str = ""  # why MLflow does not show all of the study; empty while it does
    ended: StudyEnded | None = None
    tested: TestOpened | None = None
    registered: list[ModelRegistered] = field(default_factory=list)
    alias_moves: list[AliasMoved] = field(default_factory=list)  # aliases of registered models
    commands: list[CommandReceived] = field(default_factory=list)
    paused: StudyPaused | None = None
    running: dict[int, Trial] = field(default_factory=dict)
    checkpointed: dict[int, Trial] = field(default_factory=dict)  # stopped trials that can be resumed
    epochs: int = 0  # spent on all trials
    ends: int = 0  # how often trials ended; a resumed trial ends again
    ranked: HyperparametersRanked | None = None
    references: ReferenceScores | None = None
    rests: list[Interval] = field(default_factory=list)  # when the study was paused, ended or had lost its process
    pinned: Config = field(default_factory=dict)  # hyperparameters that are fixed in proposals
    idle: float = 0.0  # seconds in which the study was paused, ended or had lost its process
    last_at: float = 0.0
    repairs: int = 0  # how often the journal was repaired
    shown: int | None = None  # the trial that a copy is about, such as that of a report, in place of the chosen one

    def __post_init__(self) -> None:
        self._front = StudyFront(self)
        if self.trials and self.config:  # a copy
            self._front.rebuild()

    @classmethod
    def replay(cls, journal: Journal) -> StudyState:
        """The state that a journal leads to."""
        return cls().feed(event for _, event in journal.read())

    def feed(self, events: Iterable[Event]) -> StudyState:
        """Apply events; returns itself."""
        for event in events:
            self.apply(event)
        return self

    def about(self, trial: int | None) -> StudyState:
        """A copy that is about this trial's model in place of the chosen one; itself for None."""
        if trial is None:
            return self
        state = copy.copy(self)
        state.shown = trial
        return state

    def apply(self, event: Event) -> bool:  # noqa: PLR0912, PLR0915  # one branch a kind of event
        """Apply one event; returns False and changes nothing if it is inconsistent with the state (see `inconsistency`)."""
        if inconsistency(self, event):
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
                self._resume(self.trials[event.trial], event)
            case TrialEnded():
                self._end(self.trials[event.result.trial], event)
            case CommandReceived():
                self._apply_command(event)
            case StudyPaused():
                self.paused = event
            case StudyResumed():
                rest = Interval(self._inactive_since(self.last_at), event.at)
                self.idle += max(0.0, event.at - rest.began)
                self.rests.append(rest)
                self.paused = self.ended = None
                self._front.choice_changed()
            case Noted():
                self.notes.append(event)
                if event.subject == "mlflow":
                    self.mlflow_trouble = event.text if event.level != "info" else ""
            case UserNote():
                self.user_notes.append(event)
            case ModelAccelerated():
                self.trials[event.result.trial].accelerated = event.result
                self._front.rebuild()
            case ModelRefitted():
                self.trials[event.result.trial].refitted = event
            case HyperparametersRanked():
                self.ranked = event
            case ReferencesScored():
                self.references = event.result
            case StudyEnded():
                self.ended = event if self._is_valid_choice(event.chosen) else event.replace(chosen=self._choice())
                self._front.choice_changed()
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

    def _is_valid_choice(self, chosen: int | None) -> bool:
        """Whether the chosen trial is known and has a model; it may not be if lines of the journal were lost."""
        return chosen is None or (chosen in self.trials and self.trials[chosen].is_packed)

    def _choice(self) -> int | None:
        return self.choose().number if self._front.models else None

    def _report(self, trial: Trial, event: TrialReported) -> None:
        before = trial.epochs
        trial.reports.append(event.report)
        trial.decisions[event.report.epoch] = event.decision
        self.epochs += trial.epochs - before

    def _resume(self, trial: Trial, event: TrialResumed) -> None:
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
            trial.exceeded_limit = self._broken(trial.search_profile)
        if trial.status == "complete":
            self._front.add(trial)
        elif trial.can_resume and self.settings.factory is None:
            self.checkpointed[trial.number] = trial
            if len(self.checkpointed) > MOST_CHECKPOINTED:
                del self.checkpointed[next(iter(self.checkpointed))]

    def _apply_command(self, event: CommandReceived) -> None:
        self.commands.append(event)
        if event.what == "extend" and event.budget is not None:
            self.config = self.settings.replace(budget=event.budget)
        elif event.what == "limit" and event.deployment is not None:
            self._change_limits(event.deployment)
        elif event.what == "pin":
            self.pinned = self.pinned | event.config
        elif event.what == "unpin":
            self.pinned = {name: setting for name, setting in self.pinned.items() if name not in event.hyperparameters}

    def _change_limits(self, deployment: Deployment) -> None:
        """Apply other hard limits: models leave the front or return to it."""
        self.config = self.settings.replace(deployment=deployment)
        for trial in filter(lambda trial: trial.is_packed, self.trials.values()):
            trial.exceeded_limit = self._broken(trial.profile)
        self._front.rebuild()
        if self.ended:
            self.ended = self.ended.replace(chosen=self._choice())

    def within_limits(self, trial: Trial) -> bool:
        """Whether the costs that the search compares meet the current hard limits."""
        return not self._broken(trial.search_profile)

    def _broken(self, profile: Profile | None) -> str:
        return self.settings.deployment.exceeded_limit(profile) if profile else ""

    def spent(self, now: float) -> float:
        """Seconds that the search has been active since it started."""
        return self._inactive_since(now) - self.started.at - self.idle if self.started else 0.0

    def _inactive_since(self, otherwise: float) -> float:
        """When the study was paused or ended; `otherwise` if it is active."""
        return self.paused.at if self.paused else self.ended.at if self.ended else otherwise

    @property
    def settings(self) -> StudyConfig:
        """The configuration.

        Raises:
            StudyError: The journal contains none.
        """
        if self.config is None:
            raise StudyError("the journal contains no study", fix="Start one: AutoML().fit(data).")
        return self.config

    def network_config(self, trial: Trial) -> Config:
        """The configuration of a trial's network, which also decides the form of its input; of an ensemble, the first member's."""
        return self.network_config(self.trials[trial.proposed.members[0]]) if trial.is_ensemble else trial.proposed.config

    def last_score(self, trial: Trial) -> float:
        """A trial's latest score, of its artifact or of a report; NaN if it was never scored."""
        metric = self.settings.metric
        reports = [report.scores for report in trial.reports] + ([trial.result.scores] if trial.result else [])
        return next((scores[metric] for scores in reversed(reports) if metric in scores), math.nan)

    def value(self, trial: Trial, objective: Objective) -> float:
        """One objective's value for a trial's artifact; NaN if it is unknown."""
        return self._value(objective, trial.scores, trial.profile)

    def search_value(self, trial: Trial, objective: Objective) -> float:
        """The same as the search compares trials: all in one runtime, before artifacts are accelerated."""
        return self._value(objective, trial.result.scores if trial.result else {}, trial.search_profile)

    def _value(self, objective: Objective, scores: dict[str, float], profile: Profile | None) -> float:
        if objective.is_score:
            return scores.get(self.settings.metric, math.nan)
        if profile is None:
            return math.nan
        return profile.value(objective.name)

    def costs(self, trials: list[Trial]) -> front.Costs:
        """The costs of trials, shape (trials, objectives), all to be minimised."""
        import numpy as np  # imported here, as `lepton status` does not need it

        rows = [[goal.cost(self.value(trial, goal)) for goal in self.settings.objectives] for trial in trials]
        return np.array(rows, dtype=np.float64).reshape(len(trials), len(self.settings.objectives))

    def front(self, *, merged: bool = False) -> list[Trial]:
        """The completed trials that are credibly better in something than each other one, best score first.

        Args:
            merged: Whether to include those that only chance may tell from a listed one: all that no other trial dominates.
        """
        return list(self._front.models if merged else self._front.listed)

    @property
    def merged(self) -> dict[int, int]:
        """The trials that are merged into one of the front, by number, each with that one's number."""
        return dict(self._front.merged)

    def score(self, trial: Trial) -> float:
        """The study's metric for a completed trial, on the validation split."""
        return self.value(trial, self.settings.objectives[0])

    def choose(
        self,
        *,
        max_latency_ms: float | None = None,
        min_score: float | None = None,
        limits: Mapping[str, float] | None = None,
        knee: bool = False,
    ) -> Trial:
        """A model from the front; see `choice.choose_model`."""
        return choose_model(self, max_latency_ms=max_latency_ms, min_score=min_score, limits=limits, knee=knee)

    def no_model(self) -> StudyError:
        """The error that explains why there is no model to choose."""
        return no_model(self)

    def trial(self, number: int) -> Trial:
        """One trial.

        Raises:
            ConfigError: There is no such trial.
        """
        if number not in self.trials:
            raise ConfigError(f"there is no trial {number}", where=self.settings.name, fix=f"It has {len(self.trials)}.")
        return self.trials[number]
