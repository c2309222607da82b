"""What can happen to a study. The journal holds these, in order; every window is drawn from them alone.

They are public: callbacks (`AutoML(callbacks=[f])`, `Study.follow(f)`) are called with them, in the journal's order.

Example:
    >>> def f(event, study):
    ...     if isinstance(event, TrialEnded) and event.result.status == "complete":
    ...         print(event.result.trial, event.result.scores)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ._json import Value, conforms
from .factory import Factory
from .jobs import AccelerationResult, Decision, HostBenchmark, Report, TrialResult
from .objective import Objective, known_costs
from .plans import PrunePlan, TrainPlan
from .profile import PROFILED
from .space import Config, Space
from .specs import Budget, DataSpec, Deployment, PriorTrial, Tracking

STOPPED = "stopped by the user"  # why a study, and each trial that still ran, has ended
Request = Literal["pause", "resume", "stop", "extend", "enqueue", "limit", "pin", "unpin", "retune"]


@dataclass(frozen=True, kw_only=True)
class StudyConfig(Value):
    """All that was asked of a study, validated.

    Args:
        name: The study's name, unique in its home.
        data: The prepared data.
        deployment: The device and its limits.
        budget: What may be spent.
        metric: The score, one of the task's metrics.
        objectives: What to make better; the first is the score.
        space: The hyperparameters.
        train: The plan that the hyperparameters change.
        prune: Likewise.
        workers: Worker processes.
        seed: Seeds everything.
        sampler: The name of what draws configurations.
        grid: The hyperparameters that a grid varies; all with choices, if none is named.
        factory: What makes a person's own networks; None for ours.
        prior_trials: What earlier studies tried, for a warm start.
        tracking: Where in MLflow it is shown.
        executor: The name of what runs the trials.
        executor_settings: Its settings as JSON; empty where it has none, or all are at their defaults.
    """

    name: str
    data: DataSpec
    deployment: Deployment
    budget: Budget
    metric: str
    objectives: tuple[Objective, ...]
    space: Space
    train: TrainPlan
    prune: PrunePlan
    workers: int = 2
    seed: int = 0
    sampler: str = "tpe"
    grid: tuple[str, ...] = ()
    factory: Factory | None = None
    prior_trials: tuple[PriorTrial, ...] = ()
    tracking: Tracking = field(default_factory=Tracking)
    executor: str = "local"
    executor_settings: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> tuple[Factory, ...]:
        """The users' own code that the study carries: what makes networks, and what measures objectives."""
        functions = [goal.function for goal in self.objectives if goal.function is not None]
        functions += [self.data.metric.function] if self.data.metric else []
        return (*([self.factory] if self.factory is not None else []), *functions)

    def costs(self, deployment: Deployment) -> tuple[Objective, ...]:
        """The costs that are measured beside those of every profile: objectives, and what a deployment limits."""
        named = {goal.name: goal for goal in self.objectives if not goal.is_score}
        limited = (
            {name: cost for name, cost in known_costs().items() if name in deployment.hard_limits} if deployment.limits else {}
        )
        return tuple(cost for name, cost in (limited | named).items() if name not in PROFILED)

    def epochs_of(self, *, child: bool) -> int:
        """Epochs of one whole trial, over all folds and the refit; a child only recovers."""
        return self.prune.recovery_epochs(self.train.epochs) if child else self.train.epochs * (self.data.folds + 1)


@dataclass(frozen=True, kw_only=True)
class Event(Value):
    """Something that happened.

    Args:
        at: Seconds since the epoch, by the executor's clock.
    """

    at: float


@dataclass(frozen=True, kw_only=True)
class StudyStarted(Event):
    """A study began.

    Args:
        config: What was asked.
        versions: Of what made the study.
        machine: Where: its name, system, cores and memory, each in words.
        git: What the caller's work tree stood at: `commit`, `branch`, `dirty` ("true" or "false"); empty outside of one.
        environment: All installed packages, as pip names them: `"numpy==2.1.0"`.
    """

    config: StudyConfig
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    git: dict[str, str] = field(default_factory=dict)
    environment: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HostBenchmarked(Event):
    """The machine was timed, before any trial.

    Args:
        benchmark: The reference network's and the fastest network's figures.
        epochs: Epochs that a trial gets, so that the budget affords enough of them.
    """

    benchmark: HostBenchmark
    epochs: int


@dataclass(frozen=True, kw_only=True)
class TrialProposed(Event):
    """A candidate was handed to a worker.

    Args:
        origin: Why this one: `"first_design"`, `"sampler"`, `"random"`, `"enqueued"`, `"retuned"`, `"child"`.
        recipe: Its final shape, as JSON.
        parent: The trial whose weights it inherits; None for a fresh network.
    """

    trial: int
    uid: str
    config: Config
    recipe: dict[str, Any]
    origin: str
    parent: int | None = None


@dataclass(frozen=True, kw_only=True)
class TrialReported(Event):
    """A trial said how it goes, and was answered."""

    report: Report
    decision: Decision


@dataclass(frozen=True, kw_only=True)
class TrialEnded(Event):
    """A trial is over, one way or another."""

    result: TrialResult


@dataclass(frozen=True, kw_only=True)
class TrialRetried(Event):
    """A trial's worker or its place was lost, or the machine failed it; it goes on from its last checkpoint, as the same trial.

    Args:
        counted: Whether this was one of its tries: a machine without room on its disk, or that is gone, is not the trial's fault.
    """

    trial: int
    reason: str
    counted: bool = True


@dataclass(frozen=True, kw_only=True)
class TrialResumed(Event):
    """A stopped trial goes on from its last checkpoint: by now it promises more than anything else would.

    Args:
        epoch: Epochs that it has behind it.
    """

    trial: int
    epoch: int


@dataclass(frozen=True, kw_only=True)
class CommandReceived(Event):
    """A person asked a study that runs for something; in the journal, that the search has heard it.

    Args:
        uid: Tells one asking from another.
        what: `"pause"`, `"resume"`, `"stop"`, `"extend"`, `"enqueue"`, `"limit"`, `"pin"`, `"unpin"` or `"retune"`.
        budget: For `"extend"`: the new whole budget.
        config: For `"enqueue"`: hyperparameters to try next; those left out stand at their defaults. For `"pin"`: hyperparameters to hold.
        deployment: For `"limit"`: the target with its new hard limits.
        hyperparameters: For `"unpin"`: the hyperparameters that may vary again.
        trial: For `"retune"`: the trial whose configuration is varied.
        trials: Likewise: how many variations are tried.
        grace: For `"stop"`: seconds in which all has to be handed over; None for as long as it takes.
    """

    uid: str
    what: Request
    budget: Budget | None = None
    config: Config = field(default_factory=dict)
    deployment: Deployment | None = None
    hyperparameters: tuple[str, ...] = ()
    trial: int = 0
    trials: int = 0
    grace: float | None = None


@dataclass(frozen=True, kw_only=True)
class StudyPaused(Event):
    """The search holds everything; the time until it goes on is not part of the budget."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class StudyResumed(Event):
    """The search goes on, after a pause, after its process was lost, or after its end with a larger budget."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Noted(Event):
    """The search says something that a person may want to know.

    Args:
        text: What.
        level: `"info"`, `"warning"` or `"error"`.
        subject: `"mlflow"` where it tells how the study stands with MLflow: a warning until the next such note is none.
    """

    text: str
    level: str = "info"
    subject: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelAccelerated(Event):
    """A finalist got the runtime and the precision that suit it best."""

    result: AccelerationResult


@dataclass(frozen=True, kw_only=True)
class HyperparametersRanked(Event):
    """How much each hyperparameter mattered so far, for the windows; the search itself does not go by it.

    Args:
        shares: For each objective, of every hyperparameter the share of the differences between trials that it explains; they sum to 1.
        trials: For each objective, how many trials that is learnt from.
        ends: Trials that had ended by then.
    """

    shares: dict[str, dict[str, float]]
    trials: dict[str, int]
    ends: int


@dataclass(frozen=True, kw_only=True)
class StudyEnded(Event):
    """The search is over.

    Args:
        reason: Why it ended, in a sentence.
        chosen: The trial that is handed over when nothing is asked; None when no trial completed.
    """

    reason: str
    chosen: int | None


@dataclass(frozen=True, kw_only=True)
class TestOpened(Event):
    """The sealed split was opened, once, for the whole front.

    Args:
        scores: For each trial on the front, its test scores.
    """

    scores: dict[int, dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class ModelRegistered(Event):
    """A trial's model became a version in the registry."""

    trial: int
    model: str
    version: str
    alias: str


@dataclass(frozen=True, kw_only=True)
class AliasMoved(Event):
    """A registered model's alias passed to a version of this study, or came back to one.

    Args:
        model: The registered model.
        version: The version that bears the alias now.
        alias: The alias.
        history: The versions that bore it, the present one last.
    """

    model: str
    version: str
    alias: str
    history: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class JournalRepaired(Event):
    """A damaged journal was put right by `lepton repair`; lines behind the damage may have changed their places.

    Args:
        whole: Lines that were whole.
        restored: Lines that were taken from the copies beside the models.
        lost: Lines that are lost.
        kept: The damaged file's name in the study's folder; empty where there was none.
    """

    whole: int
    restored: int
    lost: int
    kept: str = ""


_ALL = (
    StudyStarted,
    HostBenchmarked,
    TrialProposed,
    TrialReported,
    TrialRetried,
    TrialResumed,
    TrialEnded,
    CommandReceived,
    StudyPaused,
    StudyResumed,
    Noted,
    ModelAccelerated,
    HyperparametersRanked,
    StudyEnded,
    TestOpened,
    ModelRegistered,
    AliasMoved,
    JournalRepaired,
)
KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in _ALL}
# Where an event as JSON holds a path in the study's folder; a journal has it relative to that, so that it may be moved.
PATHS = {"StudyStarted": ("config", "data", "folder"), "TrialEnded": ("result", "folder")}


def event_to_json(event: Event) -> dict[str, Any]:
    """The event as one JSON object, with its kind."""
    return {"event": type(event).__name__, **event.to_json()}


def event_from_json(data: dict[str, Any]) -> Event | None:
    """The event back; None for a kind that a newer version wrote.

    Raises:
        TypeError: A field holds what it cannot hold, or is missing.
    """
    kind = KINDS.get(data.get("event", ""))
    if kind is None:
        return None
    if not conforms(kind, data):
        raise TypeError(f"this is no {kind.__name__}")
    return kind.from_json(data)
