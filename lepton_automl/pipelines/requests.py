"""Requests that a worker handles besides trials: host benchmark, scoring, acceleration, profiling, error analysis,
importance, comparison, refit.

A new request is a subclass of `request.Request` and an entry in `HANDLERS`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lepton_automl import families
from lepton_automl.bottleneck import Bottleneck
from lepton_automl.comparison import ComparisonJob
from lepton_automl.data.open import open_test
from lepton_automl.ensembling import EnsembleJob
from lepton_automl.error_analysis import ErrorAnalysisJob
from lepton_automl.errors import StudyError
from lepton_automl.jobs import (
    CONTINUE,
    AccelerateJob,
    BottleneckJob,
    FactoryCheckJob,
    HostBenchmark,
    HostBenchmarkJob,
    ModelScores,
    ResourceProfileJob,
    ScoreJob,
)
from lepton_automl.measurement_lock import MeasurementLock, pausing_for_measurements
from lepton_automl.measuring.host import describe_host
from lepton_automl.permutation_importance import PermutationImportanceJob
from lepton_automl.profile import Profile, ResourceProfile
from lepton_automl.reference_scores import ReferencesJob
from lepton_automl.refit import RefitJob, RetrainJob
from lepton_automl.request import Request, Response
from lepton_automl.space import Config

from .accelerate_finalist import accelerate_finalist
from .adapter import FitRequest
from .bottleneck import bottleneck
from .compare import compare
from .cost import CostProfiler, quiet_reference
from .custom import adapter_for, check_factory
from .ensemble import make_ensemble
from .error_analysis import analyze_errors
from .pack import bundle_scores
from .permutation_importance import permutation_importance
from .references import score_references
from .refit import refit, retrain
from .worker_cache import cached_data

Progress = Callable[[str], None]  # called with a description of each step

TIMED_STEPS = 12


def benchmark_host(job: HostBenchmarkJob) -> HostBenchmark:
    """Time the reference on the quiet machine, the smallest network of the space, and an epoch of a typical one."""
    with pausing_for_measurements(job.measurement_lock) as measurement_lock:
        with measurement_lock.held():
            reference = quiet_reference(job.deployment.threads)
        fastest = _fastest(job, measurement_lock, reference.median)
        return HostBenchmark(
            host=describe_host(),
            reference=reference,
            fastest=fastest,
            epoch_seconds=_epoch_seconds(job, measurement_lock) if job.time_epoch else 0.0,
        )


def _fastest(job: HostBenchmarkJob, measurement_lock: MeasurementLock, reference_ms: float) -> Profile:
    """The profile of the fastest network of the space; if the assumed one exceeds a limit, alternatives are tried."""

    def profile_of(config: Config) -> Profile:
        own = _for_config(job, config)
        adapter = adapter_for(config, own)
        profiler = CostProfiler(cached_data(own.data), job.deployment, measurement_lock, reference_ms, job.costs)
        return profiler.profile(adapter.build(adapter.lean))

    best, fastest = job.smallest, profile_of(job.smallest)
    for name, settings in job.others.items():
        for setting in settings:
            if not job.deployment.exceeded_limit(fastest):
                return fastest
            profile = profile_of(best | {name: setting})
            if (profile.latency_ms, profile.size_bytes) < (fastest.latency_ms, fastest.size_bytes):
                best, fastest = best | {name: setting}, profile
    return fastest


def _for_config(job: HostBenchmarkJob, config: Config) -> HostBenchmarkJob:
    """The job with the data as a configuration's network takes them."""
    return job.replace(data=families.trial_spec(config, job.data, job.factory))


def _epoch_seconds(job: HostBenchmarkJob, measurement_lock: MeasurementLock) -> float:
    """Wall seconds per epoch of a typical network, from a few steps after the first, without waiting time."""
    job = _for_config(job, job.usual)
    adapter, data = adapter_for(job.usual, job), cached_data(job.data)
    model = adapter.build(adapter.whole)
    times: list[float] = []

    def on_step() -> None:
        times.append(time.perf_counter() - measurement_lock.waited)
        if len(times) > TIMED_STEPS:
            raise _StepsTimed
        measurement_lock.wait()

    request = FitRequest(first=0, last=2, on_epoch=lambda *_: CONTINUE, wait=on_step, score=False)
    batches = adapter.batches(data, model, chunk=1)
    with contextlib.suppress(_StepsTimed):
        adapter.train(model, batches, request)
    steps = max(1, len(data.train) // adapter.plan.batch_size)
    return steps * (times[-1] - times[0]) / max(1, len(times) - 1)


class _StepsTimed(Exception):  # noqa: N818  # not an error: it ends the timed fit
    """All steps to time are done."""


def score_models(job: ScoreJob) -> ModelScores:
    """Score finished models on the held-out test rows."""
    specs = {trial: job.data.replace(input=job.inputs.get(trial, job.data.input)) for trial in job.bundles}
    scored = {}
    for spec in dict.fromkeys(specs.values()):  # the rows of one size at a time, as a split may be large
        rows = open_test(spec)
        for trial in (trial for trial, own in specs.items() if own == spec):
            scored[trial] = bundle_scores(Path(job.bundles[trial]), rows, spec, threads=job.threads)
    return ModelScores(
        scores={trial: scored[trial][0] for trial in job.bundles},
        intervals={trial: scored[trial][1] for trial in job.bundles},
    )


def profile_resources(job: ResourceProfileJob) -> ResourceProfile:
    """Measure the full resource profile of a finished model."""
    trial = job.trial
    with pausing_for_measurements(trial.measurement_lock) as measurement_lock:
        return CostProfiler(cached_data(trial.data), trial.deployment, measurement_lock, trial.reference_ms).resource_profile(
            Path(job.bundle)
        )


def find_bottleneck(job: BottleneckJob, progress: Progress = lambda _: None) -> Bottleneck:
    """Measure where a finished model spends its time.

    Args:
        job: The model and its target.
        progress: Called with a description of each step.
    """
    trial = job.trial
    with pausing_for_measurements(trial.measurement_lock) as measurement_lock:
        profiler = CostProfiler(cached_data(trial.data), trial.deployment, measurement_lock, trial.reference_ms)
        model = adapter_for(trial.config, trial).load(Path(job.bundle))
        return bottleneck(model, profiler, tries=job.tries, progress=progress)


# The handler of each class of requests.
HANDLERS: dict[type[Request], Callable[[Any, Progress], Response]] = {
    HostBenchmarkJob: lambda job, _: benchmark_host(job),
    FactoryCheckJob: lambda job, _: check_factory(job),
    ScoreJob: lambda job, _: score_models(job),
    AccelerateJob: accelerate_finalist,
    ResourceProfileJob: lambda job, _: profile_resources(job),
    ErrorAnalysisJob: lambda job, _: analyze_errors(job),
    PermutationImportanceJob: lambda job, _: permutation_importance(job),
    BottleneckJob: find_bottleneck,
    ComparisonJob: lambda job, _: compare(job),
    ReferencesJob: lambda job, _: score_references(job),
    EnsembleJob: lambda job, _: make_ensemble(job),
    RetrainJob: retrain,
    RefitJob: refit,
}


def respond(request: Request, progress: Progress = lambda _: None) -> Response:
    """Handle a request.

    Args:
        request: The request.
        progress: Called with a description of each step, if the handler reports steps.

    Raises:
        StudyError: There is no handler for its class.
    """
    handler = HANDLERS.get(type(request))
    if handler is None:
        raise StudyError(f"no worker handles a {type(request).__name__}", where="worker", fix="Upgrade lepton_automl there.")
    return handler(request, progress)
