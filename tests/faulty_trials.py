"""Misbehaving trials for real worker processes: `tests.faulty_trials:hang` and so on."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from lepton_automl.jobs import CONTINUE, TrialResult
from lepton_automl.pipelines.checkpoint import Checkpoint, CheckpointWriter
from lepton_automl.testing.executor import scripted


def hang(job, report, heartbeat):
    """Says nothing any more, the first time."""
    flag = Path(job.folder) / "hung"
    if not flag.exists():
        flag.parent.mkdir(parents=True)
        flag.touch()
        heartbeat()
        time.sleep(1000)
    return scripted(job, report, heartbeat)


def hungry(job, report, heartbeat):
    """Asks for more memory than there is."""
    np.ones(1 << 45)


def tell(job, report, heartbeat):
    """Says which process it is."""
    time.sleep(1.5)
    heartbeat()
    return TrialResult(trial=job.trial, status="complete", reason=str(os.getpid()))


def chatter(job, report, heartbeat):
    """Prints, and writes to its error stream."""
    print(f"trial {job.trial}", "x" * 5000, "is done", flush=job.trial > 0)
    os.write(2, b"a warning\n")
    return TrialResult(trial=job.trial, status="complete")


def keep(job, report, heartbeat):
    """Keeps a megabyte after each epoch, and goes on from there."""
    writer = CheckpointWriter(job)
    kept = writer.read()
    done = kept.info["epoch"] if kept else 0

    def new(said):
        if kept and said.epoch <= done:
            return CONTINUE
        answer = report(said)
        if not answer.stop:
            writer.write(Checkpoint(arrays={"a": np.zeros(1 << 17)}, info={"epoch": said.epoch}))
        return answer

    return scripted(job, new, heartbeat)
