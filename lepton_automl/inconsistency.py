"""Checks that an event is consistent with a study's state; in a damaged journal, some are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .events import (
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

if TYPE_CHECKING:
    from .state import StudyState
    from .trial import Trial


def inconsistency(state: StudyState, event: Event) -> str:
    """Why an event is inconsistent with a study's state, in words; empty if it is consistent.

    Args:
        state: The state before the event.
        event: The event.
    """
    match event:
        case StudyStarted():
            return "the study had already started" if state.started else ""
        case Noted() | StudyPaused() | StudyResumed() | HyperparametersRanked() | ReferencesScored() | JournalRepaired():
            return ""
        case UserNote():  # kept even if the line of its trial is lost
            return ""
        case _ if state.config is None:
            return "no earlier line holds the study's settings"
        case HostBenchmarked():
            return "the machine was already benchmarked" if state.host_benchmark else ""
        case TrialProposed():
            return f"trial {event.trial} already exists" if event.trial in state.trials else ""
        case TestOpened():
            return "the test split was already opened" if state.tested else ""
        case CommandReceived(what="retune"):
            return _unknown(event.trial) if event.trial not in state.trials else ""
    return _of_trial(state, event)


def _of_trial(state: StudyState, event: Event) -> str:
    match event:
        case TrialReported(report=report):
            number = report.trial
        case TrialEnded(result=ended):
            number = ended.trial
        case ModelAccelerated(result=result):
            number = result.trial
        case ModelRefitted(result=refitted):
            number = refitted.trial
        case TrialRetried(trial=number) | TrialResumed(trial=number) | ModelRegistered(trial=number):
            pass
        case _:
            return ""
    trial = state.trials.get(number)
    return _unknown(number) if trial is None else _after(trial, event)


def _after(trial: Trial, event: Event) -> str:
    """Why an event is inconsistent with the state of its trial."""
    match event:
        case ModelAccelerated() | ModelRefitted() | ModelRegistered():
            return "" if trial.is_packed else f"trial {trial.number} had no model"
        case TrialResumed():
            return "" if trial.result else f"trial {trial.number} was running"
        case TrialReported() if event.report.epoch in trial.decisions:
            return f"trial {trial.number} had already reported epoch {event.report.epoch}"
    return f"trial {trial.number} had ended" if trial.result else ""


def _unknown(number: int) -> str:
    return f"there was no trial {number}"
