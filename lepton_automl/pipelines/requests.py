"""Errands of a worker around the search: weigh the machine before it, open the sealed test after it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from lepton_automl.bottleneck import Bottleneck
from lepton_automl.data.open import Data, open_test
from lepton_automl.jobs import GO_ON, PortraitJob, ProfileJob, Scored, ScoreJob, Weighed, WeighJob
from lepton_automl.measurement_lock import Gate, opened_gate
from lepton_automl.measuring.host import describe_host
from lepton_automl.profile import Profile, ResourceProfile
from lepton_automl.space import Config

from .accelerate_finalist import finish
from .adapter import FitRequest
from .bottleneck import bottleneck
from .cost import CostProfiler, quiet_reference
from .custom import adapter_for, check_own
from .error_analysis import examine
from .pack import bundle_scores
from .worker_cache import opened_data

__all__ = ["check_own", "draw", "examine", "finish", "profile", "score", "weigh_host"]
TIMED_STEPS = 12


def weigh_host(job: WeighJob) -> Weighed:
    """Time the reference when the machine is quiet, the smallest network of the space, and an epoch of a usual one."""
    with opened_gate(job.gate) as gate:
        data = opened_data(job.data)
        with gate.closed():
            own = quiet_reference(job.target.threads)
        scale = CostProfiler(data, job.target, gate, own.median)
        fastest = _fastest(job, scale)
        return Weighed(host=describe_host(), reference=own, fastest=fastest, epoch_seconds=_epoch_seconds(job, data, gate))


def _fastest(job: WeighJob, scale: CostProfiler) -> Profile:
    """The profile of the fastest network of the space; where that is a guess which breaks a limit, others are tried."""

    def weigh(config: Config) -> Profile:
        craft = adapter_for(config, job)
        return scale.weigh(craft.build(craft.lean))

    best, found = job.smallest, weigh(job.smallest)
    for name, settings in job.others.items():
        for setting in settings:
            if not job.target.breaks(found):
                return found
            tried = weigh(best | {name: setting})
            if (tried.latency_ms, tried.size_bytes) < (found.latency_ms, found.size_bytes):
                best, found = best | {name: setting}, tried
    return found


def _epoch_seconds(job: WeighJob, data: Data, gate: Gate) -> float:
    """Wall seconds of an epoch of the usual network, from a few steps after the first; without those spent waiting."""
    craft = adapter_for(job.usual, job)
    model = craft.build(craft.whole)
    times: list[float] = []

    def on_step() -> None:
        times.append(time.perf_counter() - gate.waited)
        if len(times) > TIMED_STEPS:
            raise _Enough
        gate.wait()

    lesson = FitRequest(first=0, last=2, on_epoch=lambda *_: GO_ON, wait=on_step, score=False)
    batches = craft.batches(data, model, chunk=1)
    with contextlib.suppress(_Enough):
        craft.teach(model, batches, lesson)
    steps = max(1, len(data.train) // craft.plan.batch_size)
    return steps * (times[-1] - times[0]) / max(1, len(times) - 1)


class _Enough(Exception):  # noqa: N818  # not an error: it ends the timed fit
    """The steps that were to be timed are done."""


def score(job: ScoreJob) -> Scored:
    """Score finished models on the sealed split."""
    test = open_test(job.data)
    return Scored(
        scores={
            trial: bundle_scores(Path(bundle), test, job.data, threads=job.threads) for trial, bundle in job.bundles.items()
        }
    )


def draw(job: PortraitJob) -> ResourceProfile:
    """The portrait of a finished model: what it costs beside its latency."""
    trial = job.trial
    with opened_gate(trial.gate) as gate:
        return CostProfiler(opened_data(trial.data), trial.target, gate, trial.reference_ms).portrait(Path(job.bundle))


def profile(job: ProfileJob, told: Callable[[str], None] = lambda _: None) -> Bottleneck:
    """Say where the time of a finished model goes.

    Args:
        job: The model and its target.
        told: Called at every step with what is being done.
    """
    trial = job.trial
    with opened_gate(trial.gate) as gate:
        scale = CostProfiler(opened_data(trial.data), trial.target, gate, trial.reference_ms)
        model = adapter_for(trial.config, trial).load(Path(job.bundle))
        return bottleneck(model, scale, tries=job.tries, progress=told)
