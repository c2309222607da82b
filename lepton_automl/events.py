"""The events of a study. The journal stores them in order, and every view is derived from them alone.

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
from .jobs import AccelerationResult, Decision, HostBenchmark, Report, TrialResult
from .reference_scores import ReferenceScores
from .refit import RefitResult
from .space import Config
from .specs import Budget, Deployment
from .study_config import StudyConfig

STOPPED = "stopped by the user"  # the reason that a study, and each trial that was running, ended
Request = Literal["pause", "resume", "stop", "extend", "enqueue", "limit", "pin", "unpin", "retune"]


@dataclass(frozen=True, kw_only=True)
class Event(Value):
    """Something that happened.

    Args:
        at: Seconds since the epoch, by the executor's clock.
    """

    at: float


@dataclass(frozen=True, kw_only=True)
class StudyStarted(Event):
    """A study started.

    Args:
        config: Its configuration.
        versions: Versions of Python and of the packages that affect the study.
        machine: Name, system, cores and memory of the machine, as texts.
        git: State of the caller's work tree: `commit`, `branch`, `dirty` ("true" or "false"); empty outside of one.
        environment: All installed packages, as pip names them: `"numpy==2.1.0"`.
    """

    config: StudyConfig
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    git: dict[str, str] = field(default_factory=dict)
    environment: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HostBenchmarked(Event):
    """The machine was benchmarked, before any trial.

    Args:
        benchmark: The reference network's and the fastest network's figures.
        epochs: Epochs per trial, chosen so that the budget allows enough trials.
    """

    benchmark: HostBenchmark
    epochs: int


@dataclass(frozen=True, kw_only=True)
class TrialProposed(Event):
    """A candidate was sent to a worker.

    Args:
        origin: How it was proposed: `"first_design"`, `"sampler"`, `"random"`, `"enqueued"`, `"retuned"`, `"child"`,
            `"taught"`, `"ensemble"`.
        recipe: Its final network, as JSON.
        parent: The trial whose weights it inherits; None for a fresh network.
        teachers: The trials whose models teach it; none without a teacher, or with the user's.
        members: Of an ensemble, the trials whose networks it averages. It has no configuration, and is not trained.
    """

    trial: int
    uid: str
    config: Config
    recipe: dict[str, Any]
    origin: str
    parent: int | None = None
    teachers: tuple[int, ...] = ()
    members: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrialReported(Event):
    """A trial reported its progress and received a decision."""

    report: Report
    decision: Decision


@dataclass(frozen=True, kw_only=True)
class TrialEnded(Event):
    """A trial ended, whatever its outcome."""

    result: TrialResult


@dataclass(frozen=True, kw_only=True)
class TrialRetried(Event):
    """A trial's worker or place was lost, or the machine failed; the same trial continues from its last checkpoint.

    Args:
        counted: Whether it counts as one of the trial's attempts: a full disk or a lost machine is not the trial's fault.
    """

    trial: int
    reason: str
    counted: bool = True


@dataclass(frozen=True, kw_only=True)
class TrialResumed(Event):
    """A stopped trial continues from its last checkpoint, as it now looks better than any alternative.

    Args:
        epoch: Epochs that it has completed.
    """

    trial: int
    epoch: int


@dataclass(frozen=True, kw_only=True)
class CommandReceived(Event):
    """A user sent a command to a running study; in the journal, the search has received it.

    Args:
        uid: Identifies the command.
        what: `"pause"`, `"resume"`, `"stop"`, `"extend"`, `"enqueue"`, `"limit"`, `"pin"`, `"unpin"` or `"retune"`.
        budget: For `"extend"`: the new total budget.
        config: For `"enqueue"`: hyperparameters to try next; others have their defaults. For `"pin"`: hyperparameters to fix.
        deployment: For `"limit"`: the deployment with its new hard limits.
        hyperparameters: For `"unpin"`: the hyperparameters that may vary again.
        trial: For `"retune"`: the trial whose configuration is varied.
        trials: For `"retune"`: the number of variations to try.
        grace: For `"stop"`: seconds to finish and publish the best model; None for no limit.
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
    """The search paused; the time until it resumes does not count towards the budget."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class StudyResumed(Event):
    """The search continues, after a pause, after its process was lost, or after its end with a larger budget."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Noted(Event):
    """A note of the search for the user.

    Args:
        text: The text of the note.
        level: `"info"`, `"warning"` or `"error"`.
        subject: `"mlflow"` for notes on the sync with MLflow: a warning or error holds until the next such note with `"info"`.
    """

    text: str
    level: str = "info"
    subject: str = ""


@dataclass(frozen=True, kw_only=True)
class UserNote(Event):
    """A note by a person. It does not affect the search.

    Args:
        text: The text of the note.
        trial: The trial that it is about; None for the study.
    """

    text: str
    trial: int | None = None


@dataclass(frozen=True, kw_only=True)
class ModelAccelerated(Event):
    """The best runtime and precision for a finalist were chosen."""

    result: AccelerationResult


@dataclass(frozen=True, kw_only=True)
class ModelRefitted(Event):
    """A model was trained again on more rows; that file is handed over, and the scores remain those of its twin."""

    result: RefitResult


@dataclass(frozen=True, kw_only=True)
class HyperparametersRanked(Event):
    """The importance of each hyperparameter so far, for display; the search itself does not use it.

    Args:
        shares: For each objective, the share of the differences between trials that each hyperparameter explains; they sum to 1.
        trials: For each objective, the number of trials that this is estimated from.
        ends: Number of trials that had ended by then.
    """

    shares: dict[str, dict[str, float]]
    trials: dict[str, int]
    ends: int


@dataclass(frozen=True, kw_only=True)
class ReferencesScored(Event):
    """Scores of a constant answer and of gradient-boosted trees, which tell whether networks are worth it."""

    result: ReferenceScores


@dataclass(frozen=True, kw_only=True)
class StudyEnded(Event):
    """The search ended.

    Args:
        reason: Why it ended, in a sentence.
        chosen: The trial whose model is the default choice; None if no trial completed.
    """

    reason: str
    chosen: int | None


@dataclass(frozen=True, kw_only=True)
class TestOpened(Event):
    """The test split was opened, once, for the whole front.

    Args:
        scores: For each trial on the front, its test scores.
        intervals: Their 95 % intervals.
    """

    scores: dict[int, dict[str, float]]
    intervals: dict[int, dict[str, tuple[float, float]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ModelRegistered(Event):
    """A trial's model became a version in the registry."""

    trial: int
    model: str
    version: str
    alias: str


@dataclass(frozen=True, kw_only=True)
class AliasMoved(Event):
    """A registered model's alias was moved to a version of this study, or back to one.

    Args:
        model: The registered model.
        version: The version that has the alias now.
        alias: The alias.
        history: The versions that have had it, the current one last.
    """

    model: str
    version: str
    alias: str
    history: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class JournalRepaired(Event):
    """A damaged journal was repaired by `lepton repair`; lines after the damage may have moved.

    Args:
        whole: Number of intact lines.
        restored: Number of lines restored from the copies beside the models.
        lost: Number of lost lines.
        kept: The damaged file's name in the study's folder; empty if there was none.
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
    UserNote,
    ModelAccelerated,
    ModelRefitted,
    HyperparametersRanked,
    ReferencesScored,
    StudyEnded,
    TestOpened,
    ModelRegistered,
    AliasMoved,
    JournalRepaired,
)
KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in _ALL}
# Where an event's JSON has a path in the study's folder. The journal stores it relative to the folder, which may be moved.
PATHS = {"StudyStarted": ("config", "data", "folder"), "TrialEnded": ("result", "folder")}


def event_to_json(event: Event) -> dict[str, Any]:
    """The event as one JSON object, with its kind."""
    return {"event": type(event).__name__, **event.to_json()}


def event_from_json(data: dict[str, Any]) -> Event | None:
    """The event from its JSON; None for a kind that a newer version wrote.

    Raises:
        TypeError: A field has the wrong type, or is missing.
    """
    kind = KINDS.get(data.get("event", ""))
    if kind is None:
        return None
    if not conforms(kind, data):
        raise TypeError(f"this is not a valid {kind.__name__}")
    return kind.from_json(data)
