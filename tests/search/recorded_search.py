"""A search over recorded curves on a virtual clock."""

from __future__ import annotations

import math

from lepton_automl.execution.simulated import Recording, SimulatedExecutor
from lepton_automl.objective import Objective
from lepton_automl.study.runner import search
from lepton_automl.study_store import StudyStore
from tests.samples import benchmarked_host, config, profile

GOALS = (Objective(name="score", direction="maximize"), Objective(name="latency_ms", direction="minimize"))


def recorded(job):
    """A wide network costs more and ends better; so does a low learning rate, which learns slowly."""
    width, rate = float(job.config["model.width"]), job.config["train.lr"]
    final, pace = 1 - 1 / (2 + width) - 0.1 * math.log(rate / 0.005), min(1.0, rate / 0.02)
    curve = tuple(
        {"accuracy": final * (1 - 0.5 ** (pace * epoch)), "train_loss": 1.0} for epoch in range(1, job.train.epochs + 1)
    )
    failure = "it diverged" if job.trial == 3 else ""
    return Recording(
        profile=profile(width / 10), curve=curve, epoch_seconds=width / 4, final={"accuracy": final}, failure=failure
    )


def run(tmp_path, name="sample", *, prepared=0.0, **changes):
    folder = StudyStore(tmp_path).create(name)
    executor = SimulatedExecutor(2, recorded, benchmarked_host(epoch_seconds=2.0), began=1000.0)
    told = []
    state = search(config(**changes), folder, executor, told.append, prepared=prepared)
    return state, folder, executor, told


def table(state):
    """All that a study found."""
    return [
        (one.number, one.proposed.config, one.status, one.epochs, one.result.scores, one.ended_at)
        for one in state.trials.values()
    ]
