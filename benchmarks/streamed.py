"""A simulated study whose trials end at a steady rate and which handles commands: `python -m benchmarks.streamed FOLDER SECONDS`."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lepton_automl import families
from lepton_automl.events import (
    Event,
    HostBenchmarked,
    StudyEnded,
    StudyPaused,
    StudyResumed,
    StudyStarted,
    TrialEnded,
    TrialProposed,
    TrialReported,
)
from lepton_automl.jobs import CONTINUE, Decision, Report, TrialJob, TrialResult
from lepton_automl.journal import Journal
from lepton_automl.specs import Budget
from lepton_automl.study.process import Inbox
from lepton_automl.study_config import StudyConfig
from lepton_automl.study_store import StudyStore

from .made_up import recorded, study, weighed

EPOCHS = 9
RUNGS = {3: 0.55, 6: 0.8}  # minimum score to continue after these epochs
GO = "go"  # the file in the study's folder that starts the trials
ENDS = 3600.0  # maximum seconds of a stream


def begin(home: Path, name: str, trials: int) -> StudyConfig:
    """Create a study with a host benchmark."""
    config = study(Budget(trials=trials), epochs=EPOCHS, name=name)
    journal = Journal(StudyStore(home).create(name) / "journal.jsonl")
    for event in (
        StudyStarted(at=time.time(), config=config),
        HostBenchmarked(at=time.time(), benchmark=weighed(0.1), epochs=EPOCHS),
    ):
        journal.append(event)
    return config


def trial_events(config: StudyConfig, trials: int) -> Iterator[list[Event]]:
    """Yield the events of each trial, at time 0."""
    chance = random.Random(0)
    for number in range(trials):
        settings = config.space.sample(chance)
        recipe = families.final_recipe(settings, config.data, config.prune).to_json()
        job = TrialJob(trial=number, uid=str(number), config=settings, data=config.data, deployment=config.deployment, train=config.train,
                       prune=config.prune, metric=config.metric, folder="/nowhere", measurement_lock="/nowhere")  # fmt: skip
        recording = recorded(job)
        events: list[Event] = [
            TrialProposed(at=0, trial=number, uid=job.uid, config=settings, recipe=recipe, origin="sampler"),
            TrialReported(at=0, report=Report(trial=number, epoch=0, profile=recording.profile, waits=True), decision=CONTINUE),
        ]
        result = TrialResult(
            trial=number, status="complete", scores=recording.final, profile=recording.profile, recipe=recipe, epochs=EPOCHS
        )
        for epoch, scores in enumerate(recording.curve, 1):
            stops = scores[config.metric] < RUNGS.get(epoch, 0.0)
            decision = Decision(stop=stops, reason="below the others at this rung" * stops)
            events.append(
                TrialReported(
                    at=0, report=Report(trial=number, epoch=epoch, scores=scores, waits=epoch in RUNGS), decision=decision
                )
            )
            if stops:
                result = TrialResult(trial=number, status="stopped", reason=decision.reason, recipe=recipe, epochs=epoch)
                break
        yield [*events, TrialEnded(at=0, result=result)]


def write(home: Path, name: str, trials: int) -> None:
    """Write a study that has already ended."""
    config = begin(home, name, trials)
    journal = Journal(StudyStore(home).path(name) / "journal.jsonl")
    for events in trial_events(config, trials):
        for event in events:
            journal.append(event.replace(at=time.time()), durable=False)
    journal.append(StudyEnded(at=time.time(), reason="the budget is spent", chosen=None))


def stream(folder: Path, seconds: float) -> None:
    """End the trials of a running study one after another, while handling commands, until it is stopped."""
    journal, inbox, home = Journal(folder / "journal.jsonl"), Inbox(folder), StudyStore(folder.parents[1])
    config = next(event.config for _, event in journal.read() if isinstance(event, StudyStarted))
    trials = config.budget.trials or 0
    waiting = (event for events in trial_events(config, trials) for event in events)
    each = seconds / sum(len(events) for events in trial_events(config, trials))
    with home.lock(folder.name):
        paused, due, until = False, time.monotonic(), time.monotonic() + ENDS
        while time.monotonic() < until:
            if not (folder / GO).exists():
                due = time.monotonic()
            for command in inbox():
                journal.append(command)
                if command.what == "stop":
                    journal.append(StudyEnded(at=time.time(), reason="requested by the user", chosen=None))
                    return
                if command.what in {"pause", "resume"}:
                    paused = command.what == "pause"
                    kind = StudyPaused if paused else StudyResumed
                    journal.append(kind(at=time.time(), reason="requested by the user"))
            while not paused and due < time.monotonic() and (event := next(waiting, None)) is not None:
                journal.append(event.replace(at=time.time()), durable=False)
                due += each
            time.sleep(0.02)


if __name__ == "__main__":
    stream(Path(sys.argv[1]), float(sys.argv[2]))
