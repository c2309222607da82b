"""Simulated trials in real time, to measure what runs alongside a search."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from lepton_automl.events import HostBenchmarked
from lepton_automl.jobs import Decision, Report, TrialJob, TrialResult
from lepton_automl.journal import Journal
from lepton_automl.specs import Budget
from lepton_automl.study.origin import study_started
from lepton_automl.study_store import StudyStore

from .made_up import recorded, study, weighed

TRIAL_FUNCTION = "benchmarks.paced:walk"
EPOCH_SECONDS = 0.1
EPOCHS = 8


def walk(job: TrialJob, report: Callable[[Report], Decision], heartbeat: Callable[[], None]) -> TrialResult:
    """Simulate a training in real time, with all the scores that a real one reports."""
    played, began, epoch = recorded(job), time.monotonic(), 0
    answer = report(Report(trial=job.trial, epoch=0, profile=played.profile, waits=True))
    while not answer.stop and epoch < job.train.epochs:
        time.sleep(EPOCH_SECONDS)
        heartbeat()
        epoch += 1
        scores, seconds = all_scores(played.curve[epoch - 1]["accuracy"]), time.monotonic() - began
        answer = report(Report(trial=job.trial, epoch=epoch, scores=scores, seconds=seconds, waits=epoch in job.rungs))
    result = TrialResult(trial=job.trial, status="complete", profile=played.profile, epochs=epoch)
    result = result.replace(seconds=time.monotonic() - began)
    if answer.ends_trial:
        return result.replace(status=answer.status, reason=answer.reason)
    return result.replace(reason=answer.reason, scores=all_scores(played.final["accuracy"]))


def all_scores(accuracy: float) -> dict[str, float]:
    """The scores that a classification reports after an epoch."""
    known = dict.fromkeys(("accuracy", "balanced_accuracy", "f1", "auroc"), accuracy)
    return {**known, "log_loss": 1 - accuracy, "train_loss": 1.1 - accuracy}


def begin(home: StudyStore, name: str, trials: int, *, workers: int) -> Path:
    """Create a study with a host benchmark; returns its folder."""
    config = study(Budget(trials=trials), epochs=EPOCHS, name=name, workers=workers, sampler="random")
    folder = home.create(name)
    journal = Journal(folder / "journal.jsonl")
    journal.append(study_started(time.time(), config))
    journal.append(HostBenchmarked(at=time.time(), benchmark=weighed(EPOCH_SECONDS), epochs=EPOCHS))
    return folder
