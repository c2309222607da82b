"""Accelerates a finalist of a search: its bundle gets the fastest runtime and precision whose score drop is allowed."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from lepton_automl.deployment.bundle import PROVENANCE, WEIGHTS, write_bundle
from lepton_automl.deployment.integrity import MODEL, model_files, read_bundle
from lepton_automl.deployment.open_artifact import InferenceSession
from lepton_automl.deployment.runtime import Source
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.deployment.verify import QUICK_ROWS, spread_rows
from lepton_automl.jobs import AccelerateJob, AccelerationResult
from lepton_automl.measurement_lock import pausing_for_measurements
from lepton_automl.measuring.resource_profile import bytes_on_disk
from lepton_automl.models.deployable import deployable
from lepton_automl.profile import Profile
from lepton_automl.resampled import ResampledScores
from lepton_automl.study_store import BUNDLE
from lepton_automl.task import drop, metrics_of
from lepton_automl.training.scores import in_target_unit

from .accelerate import BestVariant, VariantBench, accelerate
from .cost import CostProfiler
from .custom import adapter_for
from .pack import calibration_note, card_of, decoder_of, predict_split, resampled_trial, with_decoder, with_regions
from .time_allowance import TimeAllowance
from .variant_scores import VariantScores, variant_scores
from .worker_cache import cached_data

FLOAT = "float.onnx"  # beside the bundle; a file, or a folder for several programs: the source of all other artifacts
SAMPLE_ROWS = 512  # training rows for calibration


def accelerate_finalist(request: AccelerateJob, progress: Callable[[str], None] = lambda _: None) -> AccelerationResult:
    """Find the fastest variant of a finished model whose score drop is allowed, and write it into the model's bundle.

    With cross-validated scores there are no unseen rows for the final network: the drop is measured on the training rows
    and subtracted from the cross-validated score.

    Args:
        request: The model.
        progress: Called with a description of each step.
    """
    job, allowance = request.job, TimeAllowance(math.inf if request.seconds is None else request.seconds)
    data, trial = cached_data(job.data), Path(job.folder)
    bundle = trial / BUNDLE
    model = adapter_for(job.config, job).load(bundle)
    inputs = spread_rows(data.train.inputs, SAMPLE_ROWS)
    source = Source(deployable(model, data.spec), _float_model(trial), inputs)
    with pausing_for_measurements(job.measurement_lock) as measurement_lock, tempfile.TemporaryDirectory() as folder:
        profiler = CostProfiler(data, job.deployment, measurement_lock, job.reference_ms, job.costs)
        best = accelerate(source, _bench(request, profiler, source, allowance, progress), Path(folder))
        answers = predict_split(best.winner.model, data.validation) if len(data.validation) else None
        scores, decoder = _scores(request, best), decoder_of(bundle)
        resampled = _resampled(request, scores) if answers is None else resampled_trial(job, scores, answers, decoder)
        latency, wall, _ = best.winner.benchmark or (None, None, None)
        assert latency is not None and wall is not None
        weights = sum(weight.numel() for weight in model.parameters())
        path, call = best.winner.path, profiler.call_of(best.winner.model)
        costs = profiler.costs_of(path, model, call, best.winner.variant, source.model)
        profile = Profile(latency=latency, wall=wall, size_bytes=bytes_on_disk(path), parameters=weights, costs=costs)
        result = AccelerationResult(
            trial=job.trial,
            variant=best.winner.variant,
            scores=scores,
            profile=profile,
            tried=best.tried,
            resampled=resampled,
        )
        files = read_bundle(bundle, (WEIGHTS, PROVENANCE))
        if answers is not None:  # the winner's own errors, which may be larger than those of the float model
            decoder = with_regions(decoder, answers, data.validation, data.spec)
        write_bundle(
            bundle,
            model=best.winner.path,
            weights=files[WEIGHTS],
            recipe=model.recipe.to_json(),
            preprocess=with_decoder(data.preprocess.to_json(), decoder),
            provenance=json.loads(files[PROVENANCE]),
            card=card_of(
                model,
                job,
                profile,
                scores,
                result.variant,
                probabilities=calibration_note(job, answers, decoder),
                decoder=decoder,
                resampled=resampled,
            ),
            runtime=result.variant.to_json() | {"batch_size": job.deployment.batch_size},
        )
    return result


def _float_model(trial: Path) -> Path:
    """The float32 file of a trial, or the folder of its programs' float32 files, from before any acceleration."""
    float_path, files = trial / FLOAT, model_files(trial / BUNDLE)
    if float_path.exists():
        return float_path
    if [file.name for file in files] == [MODEL]:
        shutil.copyfile(files[0], float_path)
    else:
        float_path.mkdir()
        for file in files:
            shutil.copyfile(file, float_path / file.name)
    return float_path


def _bench(
    request: AccelerateJob, profiler: CostProfiler, source: Source, allowance: TimeAllowance, progress: Callable[[str], None]
) -> VariantBench:
    data, job = profiler.data, request.job
    rows = data.validation if len(data.validation) else data.train
    decoder = decoder_of(Path(job.folder) / BUNDLE)

    truth = in_target_unit(rows.targets, data.spec)

    def score(model: InferenceSession) -> VariantScores:
        return variant_scores(predict_split(model, rows), truth, data.spec, job.metric, decoder, weights=rows.weights)

    return VariantBench(
        deployment=job.deployment,
        metric=job.metric,
        direction=metrics_of(job.data)[job.metric].direction,
        call=profiler.call_of,
        score=score,
        measurement_lock=profiler.measurement_lock,
        reference_ms=job.reference_ms,
        progress=progress,
        alone=None if job.factory else QUICK_ROWS,
        # Packing has verified this file, which answers several times as fast as PyTorch.
        before=None if source.programs else score(OnnxModel(source.model, job.deployment.threads)),
        time=allowance,
    )


def _scores(request: AccelerateJob, best: BestVariant) -> dict[str, float]:
    """The artifact's scores on unseen rows."""
    if not request.job.data.folds:
        return best.winner.scores
    scores, metrics = {}, metrics_of(request.job.data)
    for name, before in request.scores.items():
        direction = metrics[name].direction
        score_drop = drop(direction, best.before[name], best.winner.scores[name]) if name in best.winner.scores else 0.0
        scores[name] = before * (1 + score_drop) if direction == "minimize" else before - score_drop
    return scores


def _resampled(request: AccelerateJob, scores: dict[str, float]) -> ResampledScores | None:
    """The resamples of cross-validated scores, moved by as much as the scores."""
    before, metric = request.resampled, request.job.metric
    if before is None:
        return None
    metrics = metrics_of(request.job.data)

    def moved(name: str, value: float) -> float:
        after, old = scores.get(name, math.nan), request.scores.get(name, math.nan)
        return value * after / old if metrics[name].direction == "minimize" and old else value + after - old

    return ResampledScores.of(
        (moved(metric, value) for value in before.drawn),
        (moved(metric, value) for value in before.left_out),
        {name: (moved(name, low), moved(name, high)) for name, (low, high) in before.intervals.items() if name in scores},
    )
