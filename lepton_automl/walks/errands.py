"""Errands of a worker around the search: weigh the machine before it, open the sealed test after it."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from lepton_automl import families
from lepton_automl.data.datamodule import DataModule
from lepton_automl.data.open import Data, open_test
from lepton_automl.measuring.host import describe_host
from lepton_automl.measuring.latency import quiet
from lepton_automl.models.build import build
from lepton_automl.training.fit import fit
from lepton_automl.values import GO_ON, Scored, ScoreJob, Weighed, WeighJob

from .pack import artifact_scores
from .trial import opened_data, opened_gate
from .weigh import Scale, reference

TIMED_STEPS = 12


def weigh_host(job: WeighJob) -> Weighed:
    """Time the reference when the machine is quiet, the smallest network of the space, and an epoch of a usual one."""
    data = opened_data(job.data)
    with opened_gate(job.gate) as gate:
        with gate.closed():
            own = quiet(reference(job.target.threads), threads=job.target.threads)
        scale = Scale(data, job.target, gate, own.median)
        fastest = scale.weigh(families.final_recipe(job.smallest, job.data, job.lean))
        return Weighed(host=describe_host(), reference=own, fastest=fastest, epoch_seconds=_epoch_seconds(job, data))


def _epoch_seconds(job: WeighJob, data: Data) -> float:
    """Wall seconds of an epoch of the usual network, from a few steps after the first."""
    plan = families.plan_of(job.usual, job.train)
    model = build(families.draw(families.room(job.usual, "model"), job.data))
    module = DataModule(data, plan.replace(epochs=2), chunk=1)
    times: list[float] = []

    def on_step() -> None:
        times.append(time.perf_counter())
        if len(times) > TIMED_STEPS:
            raise _Enough

    with contextlib.suppress(_Enough):
        fit(model, module, plan, spec=job.data, on_epoch=lambda *_: GO_ON, wait=on_step, score=False)
    steps = max(1, len(data.train) // plan.batch_size)
    return steps * (times[-1] - times[0]) / max(1, len(times) - 1)


class _Enough(Exception):  # noqa: N818  # not an error: it ends the timed fit
    """The steps that were to be timed are done."""


def score(job: ScoreJob) -> Scored:
    """Score finished models on the sealed split."""
    test = open_test(job.data)
    return Scored(
        scores={
            trial: artifact_scores(Path(bundle) / "model.onnx", test, job.data, threads=job.threads)
            for trial, bundle in job.bundles.items()
        }
    )
