"""Pack a trained network into a bundle: export, verify, score, profile and describe it."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.arrays import Json
from lepton_automl.data.open import Data, Split
from lepton_automl.deployment.bundle import provenance_of, write_bundle
from lepton_automl.deployment.card import model_card
from lepton_automl.deployment.integrity import MODEL, PREPROCESS
from lepton_automl.deployment.open_artifact import InferenceSession, open_bundle
from lepton_automl.deployment.programs import export_network
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.deployment.verify import QUICK_ROWS
from lepton_automl.error_analysis import calibration_verdict, with_scaling
from lepton_automl.errors import DataError
from lepton_automl.jobs import TrialJob
from lepton_automl.models.custom import CustomNet
from lepton_automl.models.deployable import deployable
from lepton_automl.models.files import WEIGHTS, save
from lepton_automl.profile import Profile
from lepton_automl.resampled import ResampledScores
from lepton_automl.specs import DataSpec
from lepton_automl.study_store import BUNDLE
from lepton_automl.task import task_of
from lepton_automl.training.resampled import resampled_scores, score_intervals
from lepton_automl.training.scores import in_target_unit, scores
from lepton_automl.variant import Variant

from .adapter import Network
from .cost import CostProfiler
from .held_out import held_out
from .worker_cache import cached_data

ROWS = 512  # rows per call when scoring

DECODER, REGIONS = "decoder", "regions"  # keys in the `output` of the preprocessing's JSON, and in the decoder settings


@dataclass(frozen=True)
class PackedModel:
    """A finished model: its folder, scores and profile, and its scores on the study's resamples."""

    folder: Path
    scores: dict[str, float]
    profile: Profile
    resampled: ResampledScores | None


def pack(model: Network, data: Data, job: TrialJob, profiler: CostProfiler, cross_validated: dict[str, float]) -> PackedModel:
    """Export a network, verify the file's outputs, score and profile it, and write the bundle.

    Args:
        model: The trained network.
        data: The data.
        job: The trial.
        profiler: Profiles the exported file.
        cross_validated: Cross-validated scores, for the case that the predictions on the folds could not be saved; empty to score the
            file on the validation rows.

    Raises:
        BundleError: The file's outputs differ from the network's.
    """
    folder = Path(job.folder) / BUNDLE
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / MODEL
        # In a RecipeNet no row affects another, so only a few rows are verified one by one.
        alone = None if isinstance(model, CustomNet) else QUICK_ROWS
        exported = export_network(deployable(model, data.spec), profiler.sample, path, alone=alone)
        answers = None if cross_validated else predict_split(exported, data.validation)
        decoder = fitted_decoder(job, answers)
        final_scores = _scores(job, answers, decoder) or cross_validated
        resampled = resampled_trial(job, final_scores, answers, decoder)
        profile = profiler.profile_file(path, model, opened=exported)
        save(model, path.parent)
        write_bundle(
            folder,
            model=path,
            weights=path.parent / WEIGHTS,
            recipe=model.recipe.to_json(),
            preprocess=with_decoder(data.preprocess.to_json(), decoder),
            provenance=_provenance(job),
            card=card_of(
                model,
                job,
                profile,
                final_scores,
                Variant(),
                probabilities=calibration_note(job, answers, decoder),
                decoder=decoder,
                resampled=resampled,
            ),
            runtime=Variant().to_json(),
        )
    return PackedModel(folder, final_scores, profile, resampled)


def artifact_scores(path: Path, split: Split, spec: DataSpec, *, threads: int = 1) -> dict[str, float]:
    """Scores of an exported file on some rows, in the target's unit."""
    return model_scores(OnnxModel(path, threads), split, spec)


def bundle_scores(
    bundle: Path, split: Split, spec: DataSpec, *, threads: int = 1
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Scores of a bundle's model in its own runtime on some rows, in the target's unit, and their 95 % intervals."""
    answers, decoder = predict_split(open_bundle(bundle, threads), split), decoder_of(bundle)
    truth = in_target_unit(split.targets, spec)
    values = scores(answers, truth, spec, decoder, weights=split.weights)
    return values, score_intervals(values, answers, truth.numpy(), spec, decoder, weights=weights_of(split))


def model_scores(model: InferenceSession, split: Split, spec: DataSpec, decoder: Json | None = None) -> dict[str, float]:
    """Scores of an opened model on some rows, in the target's unit."""
    return scores(predict_split(model, split), in_target_unit(split.targets, spec), spec, decoder, weights=split.weights)


def fitted_decoder(job: TrialJob, answers: NDArray[Any] | None) -> Json:
    """Decoder settings, such as thresholds and the quantiles of regions, fitted on rows that the network has not seen.

    Args:
        job: The trial.
        answers: Predictions for the validation rows; None for cross-validated trials.

    Returns:
        JSON; {} if there is nothing to fit.
    """
    unseen = _unseen(job, answers)
    if unseen is None:
        return {}
    rows, predicted, _ = unseen
    spec = cached_data(job.data).spec
    decoder = task_of(spec).fit_decoder(predicted, in_target_unit(rows.targets, spec).numpy(), spec.output)
    return with_regions(decoder, predicted, rows, spec)


def _scores(job: TrialJob, answers: NDArray[Any] | None, decoder: Json) -> dict[str, float]:
    """Scores on the rows that the network has not seen, with the fitted decoder settings; {} if predictions were not saved."""
    unseen = _unseen(job, answers)
    if unseen is None:
        return {}
    rows, predicted, _ = unseen
    spec = cached_data(job.data).spec
    return scores(predicted, in_target_unit(rows.targets, spec), spec, decoder, weights=rows.weights)


def with_regions(decoder: Json, answers: NDArray[Any], rows: Split, spec: DataSpec) -> Json:
    """Decoder settings with the quantiles of regions that are fitted to a model's predictions.

    Args:
        decoder: The other settings, such as a temperature.
        answers: The predictions.
        rows: The rows that they are for, which the network has not seen.
        spec: The data.
    """
    others = {name: setting for name, setting in decoder.items() if name != REGIONS}
    regions = task_of(spec).fit_regions(answers, in_target_unit(rows.targets, spec).numpy(), spec.output, others)
    return others | ({REGIONS: regions} if regions else {})


def resampled_trial(
    job: TrialJob, values: dict[str, float], answers: NDArray[Any] | None, decoder: Json
) -> ResampledScores | None:
    """A trial's scores on the study's resamples of the rows that its network has not seen; None if they were not saved.

    Args:
        job: The trial.
        values: Its scores on all of these rows.
        answers: Predictions for the validation rows; None for cross-validated trials, whose predictions are in their folder.
        decoder: Fitted decoder settings.
    """
    unseen = _unseen(job, answers)
    if unseen is None:
        return None
    rows, predicted, _ = unseen
    spec = cached_data(job.data).spec
    truth = in_target_unit(rows.targets, spec).numpy()
    return resampled_scores(values, predicted, truth, spec, metric=job.metric, decoder=decoder, weights=weights_of(rows))


def weights_of(split: Split) -> NDArray[Any] | None:
    """The weights of some rows; None if all count alike."""
    return None if split.weights is None else split.weights.numpy()


def decoder_of(bundle: Path) -> Json:
    """The fitted decoder settings of a bundle; {} if there are none."""
    decoder: Json = json.loads((bundle / PREPROCESS).read_text(encoding="utf-8"))["output"].get(DECODER, {})
    return decoder


def with_decoder(preprocess: Json, decoder: Json) -> Json:
    """The preprocessing's JSON with the fitted decoder settings; unchanged if there are none."""
    return preprocess | {"output": preprocess["output"] | {DECODER: decoder}} if decoder else preprocess


def _unseen(job: TrialJob, answers: NDArray[Any] | None) -> tuple[Split, NDArray[Any], str] | None:
    """Rows that the network has not seen, its predictions for them, and the split's name; None if they were not saved."""
    data = cached_data(job.data)
    if answers is not None:
        return data.validation, answers, "validation"
    try:
        return *held_out(Path(job.folder), data), "held-out"
    except DataError:  # the disk was full
        return None


def predict_split(model: InferenceSession, split: Split) -> NDArray[np.float32]:
    """Predictions of an opened model for some rows, in order."""
    return predict_rows(model, {name: rows.numpy() for name, rows in split.inputs.items()})


def predict_rows(model: InferenceSession, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Predictions of an opened model for the inputs of some rows, in order."""
    starts = range(0, len(next(iter(arrays.values()))), ROWS)
    return np.concatenate([model({name: rows[at : at + ROWS] for name, rows in arrays.items()}) for at in starts])


def _provenance(job: TrialJob) -> dict[str, object]:
    return provenance_of(
        data=job.data.name, digest=job.data.digest, trial=job.trial, uid=job.uid, config=job.config, seed=job.train.seed
    )


def calibration_note(job: TrialJob, answers: NDArray[Any] | None, decoder: Json) -> str:
    """A sentence for the model card on whether the probabilities are calibrated, from the predictions of the report.

    Args:
        job: The trial.
        answers: Predictions for the validation rows; None for cross-validated trials, whose predictions are in their folder.
        decoder: The fitted decoder settings, such as the temperature.

    Returns:
        A sentence or two; empty for regression or if the predictions were not saved.
    """
    data, unseen = cached_data(job.data), _unseen(job, answers)
    if not task_of(data.spec).probabilities or unseen is None:
        return ""
    rows, predicted, split = unseen
    truth = in_target_unit(rows.targets, data.spec).numpy()
    parts = task_of(data.spec).analyze(predicted, truth, data.spec.output, decoder, 0).parts
    verdict = calibration_verdict(parts.get("calibration", ()), split)
    return with_scaling(verdict, parts.get("calibration_error"), parts.get("uncalibrated_error"))


def card_of(
    model: Network,
    job: TrialJob,
    profile: Profile,
    final_scores: dict[str, float],
    variant: Variant,
    *,
    probabilities: str,
    decoder: Json,
    resampled: ResampledScores | None,
    learned: int = 0,
    retrained: tuple[int, ...] = (),
) -> str:
    """The model card of a trial's model.

    `decoder` has the settings that were fitted on the rows that are scored, or on the folds. A refitted model gives its twin's
    scores, the rows that it has `learned` from, and of an ensemble the trials whose networks were `retrained`.
    """
    return model_card(
        name=f"{job.data.name}/{job.trial}",
        recipe=model.recipe,
        spec=job.data,
        deployment=job.deployment,
        profile=profile,
        metric=job.metric,
        scores=final_scores,
        variant=variant,
        probabilities=probabilities,
        tuned=tuple(name for name in decoder if name != REGIONS),
        interval=resampled.intervals.get(job.metric) if resampled else None,
        region_rows=decoder.get(REGIONS, {}).get("rows", 0),
        learned=learned,
        retrained=retrained,
    )
