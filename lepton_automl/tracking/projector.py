"""Events to records: what a tracking store should hold about a study. Pure functions, without MLflow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lepton_automl.errors import LeptonError
from lepton_automl.events import (
    Event,
    HostWeighed,
    ModelAccelerated,
    ModelRegistered,
    StudyEnded,
    StudyResumed,
    StudyStarted,
    TestOpened,
    TrialEnded,
    TrialProposed,
    TrialThawed,
)
from lepton_automl.recipe import describe, recipe_from_json
from lepton_automl.state import StudyState, Trial
from lepton_automl.values import Profile, Status

from .note import note

TRIAL, STUDY = "lepton.trial_uid", "lepton.study_uid"
MARKS, OFFSET = "lepton.marks", "lepton.offset"
Marks = dict[str, list[int]]
RUN_STATUS: dict[Status, str] = {"complete": "FINISHED", "stopped": "KILLED", "infeasible": "KILLED", "failed": "FAILED"}


@dataclass(frozen=True)
class Point:
    """One value of one metric.

    Args:
        name: The metric.
        value: Its value; NaN is kept.
        ms: When, in milliseconds since the epoch; the same each time, so that writing it twice leaves one.
        step: Epochs of a trial, ended trials of a study.
    """

    name: str
    value: float
    ms: int
    step: int = 0


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What is to be written about one run.

    Args:
        key: The tag, and its value, that the run is found by.
        name: What people see.
        start_ms: When it began, in milliseconds since the epoch.
        whole: Whether the run is made where it is not found; else the record is only a change to it.
        status: The run's status; empty to leave it.
        end_ms: When it ended; None while it runs.
        texts: Text artifacts, by path.
    """

    key: tuple[str, str]
    name: str
    start_ms: int
    whole: bool = True
    status: str = ""
    end_ms: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    metrics: tuple[Point, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


def study_uid(started: StudyStarted) -> str:
    """A study's own name in a store: a deleted study and its namesake differ."""
    return f"{started.config.name}@{_ms(started.at)}"


def marks(state: StudyState) -> Marks:
    """Trials that bear a mark which may pass to another."""
    chosen = state.ended.chosen if state.ended else None
    return {"on_front": [trial.number for trial in state.front()], "chosen": [] if chosen is None else [chosen]}


def study_record(state: StudyState, uid: str, news: Sequence[Event], offset: int, *, first: bool) -> RunRecord:
    """The parent run, as it now stands.

    Args:
        state: The study after `news`.
        uid: See `study_uid`.
        news: Events since the last record.
        offset: How far in the journal the store is, once this is written.
        first: Whether nothing was written before. Settings are told once: MLflow's parameters cannot change, those of
            an extended study can.
    """
    assert state.started is not None
    status, end_ms = _study_status(news)
    stands = "ended" if state.ended else "paused" if state.paused else "running"
    told = {"lepton.study": state.settings.name, "lepton.status": stands}
    told["lepton.paused"] = state.paused.reason if state.paused else ""
    told["lepton.retries"] = str(sum(trial.retries for trial in state.trials.values()))
    ended = {"lepton.reason": state.ended.reason, "lepton.chosen": str(state.ended.chosen)} if state.ended else {}
    versions = {f"version.{package}": version for package, version in state.started.versions.items()}
    position = {MARKS: json.dumps(marks(state)), OFFSET: str(offset), "mlflow.note.content": note(state)}
    return RunRecord(
        key=(STUDY, uid),
        name=state.settings.name,
        start_ms=_ms(state.started.at),
        status=status,
        end_ms=end_ms,
        params=_settings(state) if first else {},
        tags=told | ended | versions | position,
        texts={"study.json": json.dumps(state.settings.to_json(), indent=1)} if first else {},
    )


def trial_records(state: StudyState, news: Sequence[Event], known: Marks) -> Iterator[RunRecord]:
    """The child runs that `news` makes or changes.

    Args:
        state: The study after `news`.
        news: Events since the last record.
        known: The marks that the store shows.
    """
    now = {mark: set(numbers) for mark, numbers in marks(state).items()}
    told = [event.result.trial for event in news if isinstance(event, TrialEnded)]
    ended = dict.fromkeys(number for number in told if state.trials[number].result)  # else it was thawed since
    for number in ended:
        yield _trial_record(state, state.trials[number], {mark: number in numbers for mark, numbers in now.items()})
    for mark, numbers in now.items():
        for number in sorted(numbers.symmetric_difference(known.get(mark, ())) - set(ended)):
            yield _change(state, number, tags={f"lepton.{mark}": _flag(number in numbers)})
    for event in news:
        match event:
            case TestOpened():
                for number, scores in event.scores.items():
                    yield _change(state, number, metrics=_points(_test(scores), event.at, state.trials[number].epochs))
            case ModelAccelerated():
                yield _accelerated(state, event)
            case TrialThawed() if state.trials[event.trial].result is None:
                yield _change(state, event.trial, tags={"lepton.status": "running", "lepton.reason": ""}, status="RUNNING")
            case ModelRegistered():
                tags = {"lepton.registered": f"{event.model} {event.version}", "lepton.alias": event.alias}
                yield _change(state, event.trial, tags=tags)


def _trial_record(state: StudyState, trial: Trial, marked: dict[str, bool]) -> RunRecord:
    result, proposed = trial.result, trial.proposed
    assert result is not None and trial.ended_at is not None
    tags = {
        "lepton.study": state.settings.name,
        "lepton.trial": str(trial.number),
        "lepton.status": result.status,
        "lepton.reason": result.reason,
        "lepton.origin": proposed.origin,
        "lepton.recipe": _describe(trial),
        "lepton.bundle": result.folder,
        "lepton.retries": str(trial.retries) if trial.retries else "",
        "lepton.parent_trial": "" if proposed.parent is None else str(proposed.parent),
    } | {f"lepton.{mark}": _flag(bears) for mark, bears in marked.items()}
    return RunRecord(
        key=(TRIAL, proposed.uid),
        name=_name(state, trial),
        start_ms=_ms(proposed.at),
        status=RUN_STATUS[result.status],
        end_ms=_ms(trial.ended_at),
        params={name: str(setting) for name, setting in proposed.config.items()},
        metrics=(*_curve(trial), *_points(_figures(state, trial), trial.ended_at, result.epochs)),
        tags={name: value for name, value in tags.items() if value or trial.thawed},  # what it said before may be no more
        texts={"traceback.txt": result.traceback} if result.traceback else {},
    )


def _accelerated(state: StudyState, event: ModelAccelerated) -> RunRecord:
    """A finalist as it runs now: its figures take the place of those it was packed with, which the metrics' history keeps."""
    found, trial = event.found, state.trials[event.found.trial]
    figures = {**found.scores, "score": state.score(trial), **_costs(found.profile)}
    tried = json.dumps([one.to_json() for one in found.tried], indent=1)
    return _change(
        state,
        found.trial,
        tags={"lepton.variant": found.variant.name},
        metrics=_points(figures, event.at, trial.epochs),
        texts={"accelerated.json": tried},
    )


def _change(
    state: StudyState,
    number: int,
    *,
    tags: dict[str, str] | None = None,
    metrics: Iterable[Point] = (),
    status: str = "",
    texts: dict[str, str] | None = None,
) -> RunRecord:
    trial = state.trials[number]
    key, name, start_ms = (TRIAL, trial.proposed.uid), _name(state, trial), _ms(trial.proposed.at)
    return RunRecord(
        key=key,
        name=name,
        start_ms=start_ms,
        whole=False,
        status=status,
        tags=tags or {},
        metrics=tuple(metrics),
        texts=texts or {},
    )


def _curve(trial: Trial) -> Iterator[Point]:
    """The scores by epoch; those of the exported artifact take the place of the last."""
    assert trial.result is not None
    for report in trial.reports:
        scores = {name: value for name, value in report.scores.items() if not _replaced(trial, report.epoch, name)}
        yield from _points(scores, trial.proposed.at + report.seconds, report.epoch)


def _replaced(trial: Trial, epoch: int, name: str) -> bool:
    assert trial.result is not None
    return epoch == trial.result.epochs and name in trial.result.scores


def _figures(state: StudyState, trial: Trial) -> dict[str, float]:
    """What a trial came to. `score` is the study's metric, of completed trials only."""
    result = trial.result
    assert result is not None
    figures = {**result.scores, "epochs": result.epochs, "seconds": result.seconds, "cpu_seconds": result.cpu_seconds}
    score = state.searched(trial, state.settings.objectives[0]) if result.status == "complete" else math.nan
    return figures | ({} if math.isnan(score) else {"score": score}) | (_costs(trial.weighed) if trial.weighed else {})


def _costs(profile: Profile) -> dict[str, float]:
    return {
        "latency_ms": profile.latency_ms,
        "latency_ms_low": profile.latency.low,
        "latency_ms_high": profile.latency.high,
        "wall_ms_p50": profile.wall.median,
        "wall_ms_p95": profile.wall.p95,
        "size_bytes": profile.size_bytes,
        "parameters": profile.parameters,
    } | ({"macs": profile.macs} if profile.macs else {})


def progress(state: StudyState, event: Event) -> Iterator[Point]:
    """What the study's own curves gain by an event, which the state has just taken in: the same whenever it is written."""
    if isinstance(event, HostWeighed):
        weighed = event.weighed
        yield from _points({"reference_ms": weighed.reference.median, "epoch_seconds": weighed.epoch_seconds}, event.at, 0)
    if isinstance(event, TrialEnded):
        front = state.front()
        best = {"best_score": state.score(front[0])} if front else {}
        counts = {"trials": len(state.trials) - len(state.running), "epochs": state.epochs, "front_size": len(front)}
        yield from _points(best | counts, event.at, state.ends)


def _settings(state: StudyState) -> dict[str, str]:
    config = state.settings
    asked = {"target": config.target.to_json(), "budget": config.budget.to_json()}
    params = {f"{part}.{name}": str(value) for part, values in asked.items() for name, value in values.items() if value}
    for name in ("name", "modality", "task", "target", "train", "validation", "test", "folds", "digest"):
        params[f"data.{name}"] = str(getattr(config.data, name))
    params |= {f"space.{name}": knob.describe() for name, knob in config.space.items()}
    objectives = ", ".join(f"{goal.name} ({goal.direction})" for goal in config.objectives)
    return params | {
        "metric": config.metric,
        "objectives": objectives,
        "workers": str(config.workers),
        "seed": str(config.seed),
        "warm_start": ", ".join(dict.fromkeys(one.study for one in config.precedents)),
    }


def _study_status(news: Sequence[Event]) -> tuple[str, int | None]:
    """MLflow's status of a study, and its end: whichever came last of an end, a new trial and a resumption."""
    last = next((event for event in reversed(news) if isinstance(event, StudyEnded | StudyResumed | TrialProposed)), None)
    if isinstance(last, StudyEnded):
        return ("FAILED" if last.chosen is None else "FINISHED"), _ms(last.at)
    return ("RUNNING" if last else ""), None


def _describe(trial: Trial) -> str:
    try:
        return describe(recipe_from_json((trial.result and trial.result.recipe) or trial.proposed.recipe))
    except (LeptonError, TypeError):  # a plug-in's own family
        return ""


def _name(state: StudyState, trial: Trial) -> str:
    return f"{state.settings.name}-{trial.number:03d}"


def _test(scores: dict[str, float]) -> dict[str, float]:
    return {f"test_{name}": value for name, value in scores.items()}


def _points(values: Mapping[str, float], at: float, step: int) -> Iterator[Point]:
    for name, value in values.items():
        yield Point(name, float(value), _ms(at), step)


def _flag(truth: bool) -> str:  # noqa: FBT001  # the truth is all it takes
    return "true" if truth else "false"


def _ms(at: float) -> int:
    return round(at * 1000)
