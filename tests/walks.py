"""Walks that misbehave, for real worker processes: `tests.walks:hang` and so on."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from lepton_automl.jobs import GO_ON, TrialResult
from lepton_automl.pipelines.checkpoint import Checkpoint, CheckpointWriter
from lepton_automl.testing.executor import scripted


def hang(job, report, beat):
    """Says nothing any more, the first time."""
    flag = Path(job.folder) / "hung"
    if not flag.exists():
        flag.parent.mkdir(parents=True)
        flag.touch()
        beat()
        time.sleep(1000)
    return scripted(job, report, beat)


def hungry(job, report, beat):
    """Asks for more memory than there is."""
    np.ones(1 << 45)


def tell(job, report, beat):
    """Says which process it is."""
    time.sleep(1.5)
    beat()
    return TrialResult(trial=job.trial, status="complete", reason=str(os.getpid()))


def chatter(job, report, beat):
    """Prints, and writes to its error stream."""
    print(f"trial {job.trial}", "x" * 5000, "is done", flush=job.trial > 0)
    os.write(2, b"a warning\n")
    return TrialResult(trial=job.trial, status="complete")


def keep(job, report, beat):
    """Keeps a megabyte after each epoch, and goes on from there."""
    writer = CheckpointWriter(job)
    kept = writer.read()
    done = kept.told["epoch"] if kept else 0

    def new(said):
        if kept and said.epoch <= done:
            return GO_ON
        answer = report(said)
        if not answer.stop:
            writer.write(Checkpoint(arrays={"a": np.zeros(1 << 17)}, told={"epoch": said.epoch}))
        return answer

    return scripted(job, new, beat)
