"""A search of recorded trials in real processes: `python -m benchmarks.replay FOLDER`, until it ends or is killed."""

from __future__ import annotations

import hashlib
import math
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from lepton_automl.events import HostBenchmarked, StudyStarted
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.jobs import Decision, Report, TrialJob, TrialResult
from lepton_automl.journal import Journal
from lepton_automl.pipelines.checkpoint import Checkpoint, CheckpointWriter
from lepton_automl.specs import Budget
from lepton_automl.study.runner import search
from lepton_automl.study_store import StudyStore

from .made_up import profile, study, weighed

STUDY = "replayed"
WALKED = "walked.txt"  # in a trial's folder: all epochs that ran, including lost ones
EPOCHS = 9
EPOCH_SECONDS = 0.012


def walk(job: TrialJob, report: Callable[[Report], Decision], heartbeat: Callable[[], None]) -> TrialResult:
    """Replay a recorded trial in real time, with checkpoints written by the same code as in a real trial."""
    checkpoint_writer = CheckpointWriter(job)
    snapshot = checkpoint_writer.read()
    epoch: int = snapshot.info["epochs"] if snapshot else 0
    weights = snapshot.arrays["model.weights"] if snapshot else np.zeros(20_000, np.float32)
    cost = profile(float(job.config["model.width"]) / 10)
    answer = Decision() if snapshot else report(Report(trial=job.trial, epoch=0, profile=cost, waits=True))
    while not answer.stop and epoch < job.train.epochs:
        time.sleep(EPOCH_SECONDS)
        heartbeat()
        epoch += 1
        weights = weights + np.float32(epoch)
        _note(Path(job.folder) / WALKED, epoch)
        waits = epoch in job.rungs
        answer = report(Report(trial=job.trial, epoch=epoch, scores={job.metric: score(job, epoch)}, waits=waits))
        if waits and not answer.packs:  # as in a real trial: a finished training is packed next
            checkpoint_writer.write(Checkpoint(arrays={"model.weights": weights}, info={"epochs": epoch}))
    if answer.ends_trial:
        return TrialResult(trial=job.trial, status=answer.status, reason=answer.reason, epochs=epoch)
    time.sleep(2 * EPOCH_SECONDS)  # packing
    assert weights[0] == sum(range(epoch + 1)), "the weights do not match the epochs"
    scores = {job.metric: score(job, epoch) + chance(job) / 100}
    return TrialResult(trial=job.trial, status="complete", reason=answer.reason, scores=scores, profile=cost, epochs=epoch)


def score(job: TrialJob, epoch: int) -> float:
    """A learning curve that depends on the hyperparameters only: wide networks learn slowly and end better."""
    width, rate = float(job.config["model.width"]), float(job.config["train.lr"])
    final = 1 - 1 / (2 + width) - 0.1 * abs(math.log(rate / 0.02)) - 0.05 * chance(job)
    return float(final * (1 - 0.5 ** (epoch * (1 + 4 / width))))


def chance(job: TrialJob) -> float:
    """The quality of the other hyperparameters, from 0 to 1."""
    text = ",".join(f"{name}={job.config[name]!r}" for name in sorted(job.config))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32


def begin(home: Path, trials: int, seed: int) -> Path:
    """Create a study with a host benchmark; returns its folder."""
    config = study(Budget(trials=trials), side=8, epochs=EPOCHS, name=STUDY, workers=1, seed=seed)
    folder = StudyStore(home).create(STUDY)
    journal = Journal(folder / "journal.jsonl")
    journal.append(StudyStarted(at=time.time(), config=config))
    journal.append(HostBenchmarked(at=time.time(), benchmark=weighed(EPOCH_SECONDS, reference_ms=0.2), epochs=EPOCHS))
    return folder


def _note(path: Path, epoch: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        file.write(b"%d\n" % epoch)


def main(folder: Path) -> None:
    """Search until it ends, with one worker, so that the order of results is fixed."""
    config = next(event for _, event in Journal(folder / "journal.jsonl").read() if isinstance(event, StudyStarted)).config
    with closing(LocalExecutor(1, folder / "workers", trial_function="benchmarks.replay:walk")) as executor:
        search(config, folder, executor)


if __name__ == "__main__":
    os.environ["LEPTON_HOME"] = str(Path(sys.argv[1]).parents[1])
    main(Path(sys.argv[1]))
