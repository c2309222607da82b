"""What can happen to a study. The journal holds these, in order; every window is drawn from them alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ._json import Value
from .factory import Factory
from .space import Config, Space
from .values import Budget, DataSpec, Decision, LeanPlan, Objective, Report, Target, TrainPlan, TrialResult, Weighed


@dataclass(frozen=True, kw_only=True)
class StudyConfig(Value):
    """All that was asked of a study, validated.

    Args:
        name: The study's name, unique in its home.
        data: The prepared data.
        target: The device and its limits.
        budget: What may be spent.
        metric: The score, one of the task's metrics.
        objectives: What to make better; the first is the score.
        space: The knobs.
        train: The plan that the knobs change.
        lean: Likewise.
        workers: Worker processes.
        seed: Seeds everything.
        own: What makes a person's own networks; None for ours.
    """

    name: str
    data: DataSpec
    target: Target
    budget: Budget
    metric: str
    objectives: tuple[Objective, ...]
    space: Space
    train: TrainPlan
    lean: LeanPlan
    workers: int = 2
    seed: int = 0
    own: Factory | None = None


@dataclass(frozen=True, kw_only=True)
class Event(Value):
    """Something that happened.

    Args:
        at: Seconds since the epoch, by the executor's clock.
    """

    at: float


@dataclass(frozen=True, kw_only=True)
class StudyStarted(Event):
    """A study began."""

    config: StudyConfig
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class HostWeighed(Event):
    """The machine was timed, before any trial.

    Args:
        weighed: The reference network's and the fastest network's figures.
        epochs: Epochs that a trial gets, so that the budget affords enough of them.
    """

    weighed: Weighed
    epochs: int


@dataclass(frozen=True, kw_only=True)
class TrialProposed(Event):
    """A candidate was handed to a worker.

    Args:
        origin: Why this one: `"portfolio"`, `"sampler"`, `"enqueued"`.
        recipe: Its final shape, as JSON.
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
class Noted(Event):
    """The search says something that a person may want to know."""

    text: str
    level: str = "info"


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


_ALL = (StudyStarted, HostWeighed, TrialProposed, TrialReported, TrialEnded, Noted, StudyEnded, TestOpened, ModelRegistered)
KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in _ALL}


def event_to_json(event: Event) -> dict[str, Any]:
    """The event as one JSON object, with its kind."""
    return {"event": type(event).__name__, **event.to_json()}


def event_from_json(data: dict[str, Any]) -> Event | None:
    """The event back; None for a kind that a newer version wrote."""
    kind = KINDS.get(data.get("event", ""))
    return kind.from_json(data) if kind else None
