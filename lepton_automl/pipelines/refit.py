"""Trains a finished model again on more rows, and exports it as its twin was exported: the refit."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lepton_automl.data.open import Data
from lepton_automl.deployment.bundle import PROVENANCE, WEIGHTS, write_bundle
from lepton_automl.deployment.integrity import MODEL, read_bundle
from lepton_automl.deployment.open_artifact import RUNTIME, InferenceSession, open_bundle
from lepton_automl.deployment.programs import export_network
from lepton_automl.deployment.runtime import Source
from lepton_automl.deployment.verify import QUICK_ROWS, expected_answers, spread_rows
from lepton_automl.ensembles.network import EnsembleNet
from lepton_automl.errors import StudyError
from lepton_automl.jobs import CONTINUE, Decision, Report, TrialJob
from lepton_automl.measurement_lock import MeasurementLock, pausing_for_measurements
from lepton_automl.models.custom import CustomNet
from lepton_automl.models.deployable import deployable
from lepton_automl.models.files import load, save
from lepton_automl.refit import RefitJob, RefitResult, RefitRows, RetrainJob, RetrainResult
from lepton_automl.study_store import BUNDLE, REFIT, RETRAINED
from lepton_automl.task import drop, metrics_of
from lepton_automl.variant import Variant

from .accelerate_finalist import SAMPLE_ROWS
from .adapter import Network
from .cost import CostProfiler
from .open_variant import open_variant
from .pack import calibration_note, card_of, decoder_of, model_scores, predict_split, with_decoder
from .teaching import with_teacher
from .trial import TrialRun
from .worker_cache import cached_data

Progress = Callable[[str], None]


def refit(request: RefitJob, progress: Progress = lambda _: None) -> RefitResult:
    """Train a finished model again, and write its bundle beside that of its twin.

    Args:
        request: The model.
        progress: Called with a description of each step.

    Raises:
        BundleError: The new file does not reproduce the new network's outputs.
        StudyError: The new model predicts rows that it has learned from worse than its twin, which has not seen them.
    """
    began, job = time.monotonic(), request.job
    with tempfile.TemporaryDirectory() as temporary, pausing_for_measurements(job.measurement_lock) as measurement_lock:
        folder = Path(temporary)
        model = _ensemble(request) if request.bundles else _lineage(request, folder, measurement_lock, progress)
        progress("exporting the refitted model")
        profiler = CostProfiler(cached_data(job.data), job.deployment, measurement_lock, job.reference_ms, job.costs)
        path, session = _exported(model, request, profiler, folder)
        _check_scores(session, request)
        learned = len(_rows(job, request.rows).train)
        _write(model, path, request, learned)
    return RefitResult(
        trial=job.trial,
        rows=request.rows,
        learned=learned,
        epochs=request.epochs,
        seconds=time.monotonic() - began,
        retrained=request.retrained,
    )


def retrain(request: RetrainJob, progress: Progress = lambda _: None) -> RetrainResult:
    """Train a trial's network again and save it.

    Args:
        request: The trial.
        progress: Called with a description of each step.
    """
    with tempfile.TemporaryDirectory() as temporary, pausing_for_measurements(request.job.measurement_lock) as measurement_lock:
        save(_lineage(request, Path(temporary), measurement_lock, progress), Path(request.job.folder) / RETRAINED)
    return RetrainResult(trial=request.job.trial)


def _ensemble(request: RefitJob) -> EnsembleNet:
    """The ensemble of a trial, with other networks of the same recipes."""
    recipe = load(Path(request.job.folder) / BUNDLE).recipe
    return EnsembleNet(recipe, [load(Path(bundle)) for bundle in request.bundles]).eval()


def _lineage(request: RefitJob | RetrainJob, folder: Path, measurement_lock: MeasurementLock, progress: Progress) -> Network:
    """The network, trained again after those that it inherits weights from."""
    parent: Path | None = None
    model: Network | None = None
    for job, epochs in zip((*request.trials, request.job), (*request.trial_epochs, request.epochs), strict=True):
        own = folder / str(job.trial)
        started = job.replace(folder=str(own), parent=None if parent is None else str(parent))
        model = _trained(started, epochs, request.rows, measurement_lock, progress)
        parent = own / BUNDLE
        save(model, parent)
    assert model is not None
    return model


def _trained(job: TrialJob, epochs: int, rows: RefitRows, measurement_lock: MeasurementLock, progress: Progress) -> Network:
    """A trial's network, trained without validation rows up to an epoch of its plan."""

    def on_epoch(report: Report) -> Decision:
        progress(f"refitting: epoch {report.epoch} of {epochs}")
        return CONTINUE

    run = TrialRun(job, on_epoch, measurement_lock, lambda: CONTINUE)
    data = with_teacher(_rows(job, rows), job.teacher, measurement_lock.wait)
    model = run.train(data, report_scores=False, last=epochs)
    model.eval()
    return model


def _rows(job: TrialJob, rows: RefitRows) -> Data:
    data = cached_data(job.data).whole()
    return data.with_test() if rows == "all" else data


def _exported(model: Network, request: RefitJob, profiler: CostProfiler, folder: Path) -> tuple[Path, InferenceSession]:
    """The network's file in the variant of its twin, checked against the network, and opened."""
    module, path = deployable(model, profiler.data.spec), folder / MODEL
    alone = None if isinstance(model, CustomNet) else QUICK_ROWS
    session = export_network(module, profiler.sample, path, alone=alone)
    if request.variant == Variant():
        return path, session
    inputs = spread_rows(profiler.data.train.inputs, SAMPLE_ROWS)
    (folder / "variant").mkdir()
    expected = expected_answers(module, inputs, alone=alone)
    return open_variant(request.variant, Source(module, path, inputs), folder / "variant", request.job.deployment, expected)


def _check_scores(session: InferenceSession, request: RefitJob) -> None:
    """Check that the model is no worse than its twin on the validation rows, which only it has learned from."""
    job = request.job
    data = cached_data(job.data)
    if not len(data.validation):
        return
    before = request.scores[job.metric]
    after = model_scores(session, data.validation, data.spec, decoder_of(Path(job.folder) / BUNDLE))[job.metric]
    if drop(metrics_of(job.data)[job.metric].direction, before, after) > 0:
        what = f"trained on more rows, it has {job.metric} {after:.4g} on those added, not {before:.4g} as before"
        raise StudyError(what, where=f"trial {job.trial}", fix="Use the model as it is.")


def _write(model: Network, path: Path, request: RefitJob, learned: int) -> None:
    """Write the bundle; scores, temperature and quantiles are those of the twin."""
    job, twin = request.job, Path(request.job.folder) / BUNDLE
    decoder, files = decoder_of(twin), read_bundle(twin, (PROVENANCE, RUNTIME))
    data = cached_data(job.data)
    answers = predict_split(open_bundle(twin, job.deployment.threads), data.validation) if len(data.validation) else None
    save(model, path.parent)
    write_bundle(
        Path(job.folder) / REFIT,
        model=path,
        weights=path.parent / WEIGHTS,
        recipe=model.recipe.to_json(),
        preprocess=with_decoder(data.preprocess.to_json(), decoder),
        provenance=json.loads(files[PROVENANCE]) | {"refitted_on": request.rows, "rows": learned},
        card=card_of(
            model,
            job,
            request.profile,
            request.scores,
            request.variant,
            probabilities=calibration_note(job, answers, decoder),
            decoder=decoder,
            resampled=request.resampled,
            learned=learned,
            retrained=request.retrained,
        ),
        runtime=json.loads(files[RUNTIME]),
    )
