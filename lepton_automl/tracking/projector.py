"""Convert the events of a study to records for a tracking store. Pure functions, without MLflow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from lepton_automl.events import (
    Event,
    HostBenchmarked,
    ModelAccelerated,
    ModelRefitted,
    ModelRegistered,
    StudyResumed,
    StudyStarted,
    TestOpened,
    TrialEnded,
    TrialResumed,
)
from lepton_automl.state import StudyState

from . import study_run
from .records import NOTE, STUDY, TRIAL, Point, RunRecord, flag, ms, points
from .run_description import note
from .study_run import progress
from .trial_run import changed_trial, costs, ended_trial

__all__ = ["MARKS", "OFFSET", "REPAIRS", "STUDY", "TRIAL", "Point", "RunRecord", "marks", "progress", "study_record", "study_uid", "trial_records"]  # fmt: skip

MARKS, OFFSET, REPAIRS = "lepton.marks", "lepton.offset", "lepton.repairs"
Marks = dict[str, list[int]]


def study_uid(started: StudyStarted) -> str:
    """The unique id of a study in a store; it differs from that of a deleted study of the same name."""
    return f"{started.config.name}@{ms(started.at)}"


def marks(state: StudyState) -> Marks:
    """The trials on the front and the chosen trial, which may change."""
    chosen = state.ended.chosen if state.ended else None
    return {"on_front": [trial.number for trial in state.front()], "chosen": [] if chosen is None else [chosen]}


def study_record(state: StudyState, uid: str, news: Sequence[Event], offset: int, *, first: bool) -> RunRecord:
    """The current parent run; its curves come from `progress`.

    Args:
        state: The study after `news`.
        uid: See `study_uid`.
        news: Events since the last record.
        offset: The offset in the journal up to which the store is complete once this is written.
        first: Whether nothing was written before. Settings are written once: MLflow's parameters cannot change, those of
            an extended study can.
    """
    assert state.started is not None
    status, end_ms = study_run.status(news)
    study_status = "ended" if state.ended else "paused" if state.paused else "running"
    tags = {"lepton.study": state.settings.name, "lepton.status": study_status}
    if state.paused or any(isinstance(event, StudyResumed) for event in news):
        tags["lepton.paused"] = state.paused.reason if state.paused else ""
    if retries := sum(trial.retries for trial in state.trials.values()):
        tags["lepton.retries"] = str(retries)
    ended = {"lepton.reason": state.ended.reason, "lepton.chosen": str(state.ended.chosen)} if state.ended else {}
    if any(isinstance(event, StudyResumed) for event in news):
        ended = {"lepton.reason": "", "lepton.chosen": "", **ended}  # clears the values of an earlier end
    position = {MARKS: json.dumps(marks(state)), OFFSET: str(offset), NOTE: note(state)}
    if state.repairs:
        position[REPAIRS] = str(state.repairs)
    return RunRecord(
        key=(STUDY, uid),
        name=state.settings.name,
        start_ms=ms(state.started.at),
        status=status,
        end_ms=end_ms,
        params=_params(state, news, first=first),
        tags=tags | ended | study_run.source(state.started) | position,
        texts=study_run.text_artifacts(state) if first else {},
    )


def _params(state: StudyState, news: Sequence[Event], *, first: bool) -> dict[str, str]:
    """The machine is benchmarked after the study has started, so the first record may precede its result."""
    machines = [study_run.machine(event) for event in news if isinstance(event, HostBenchmarked)]
    return (study_run.settings(state) if first else {}) | (machines[0] if machines else {})


def trial_records(state: StudyState, news: Sequence[Event], known: Marks) -> Iterator[RunRecord]:
    """The child runs that `news` creates or changes.

    Args:
        state: The study after `news`.
        news: Events since the last record.
        known: The marks that the store shows.
    """
    now = {mark: set(numbers) for mark, numbers in marks(state).items()}
    trials = [event.result.trial for event in news if isinstance(event, TrialEnded)]
    ended = dict.fromkeys(number for number in trials if state.trials[number].result)  # else it was resumed since
    for number in ended:
        yield ended_trial(state, state.trials[number], {mark: number in numbers for mark, numbers in now.items()})
    for mark, numbers in now.items():
        for number in sorted(numbers.symmetric_difference(known.get(mark, ())) - set(ended)):
            yield changed_trial(state, number, tags={f"lepton.{mark}": flag(number in numbers)})
    for event in news:
        match event:
            case TestOpened():
                for number, scores in event.scores.items():
                    if number not in state.trials:  # its events are lost
                        continue
                    tested = {f"test_{name}": value for name, value in scores.items()}
                    yield changed_trial(state, number, metrics=points(tested, event.at, state.trials[number].epochs))
            case ModelAccelerated():
                yield _accelerated(state, event)
            case ModelRefitted():
                yield changed_trial(state, event.result.trial, tags={"lepton.refitted_on": f"{event.result.learned} rows"})
            case TrialResumed() if state.trials[event.trial].result is None:
                tags = {"lepton.status": "running", "lepton.reason": ""}
                yield changed_trial(state, event.trial, tags=tags, status="RUNNING")
            case ModelRegistered():
                tags = {"lepton.registered": f"{event.model} {event.version}", "lepton.alias": event.alias}
                yield changed_trial(state, event.trial, tags=tags)


def _accelerated(state: StudyState, event: ModelAccelerated) -> RunRecord:
    """An accelerated trial: its figures replace those of the original export, which remain in the metric history."""
    result, trial = event.result, state.trials[event.result.trial]
    figures = {**result.scores, "score": state.score(trial), **costs(result.profile)}
    tried = json.dumps([variant.to_json() for variant in result.tried], indent=1)
    return changed_trial(
        state,
        result.trial,
        tags={"lepton.variant": result.variant.name},
        metrics=points(figures, event.at, trial.epochs),
        texts={"accelerated.json": tried},
    )
