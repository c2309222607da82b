"""From a trained network to a bundle: exported, checked against the network, scored, weighed, described."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.data.open import Data, Split
from lepton_automl.deployment.bundle import provenance_of, write_bundle
from lepton_automl.deployment.card import model_card
from lepton_automl.deployment.export import export
from lepton_automl.deployment.open_artifact import InferenceSession, open_bundle
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.deployment.verify import QUICK_ROWS
from lepton_automl.error_analysis import calibration_verdict
from lepton_automl.errors import DataError
from lepton_automl.jobs import TrialJob
from lepton_automl.models.custom import CustomNet
from lepton_automl.models.deployable import deployable
from lepton_automl.models.files import WEIGHTS, save
from lepton_automl.profile import Profile
from lepton_automl.specs import DataSpec
from lepton_automl.training.findings import calibration
from lepton_automl.training.scores import own_unit, scores
from lepton_automl.variant import Variant

from .adapter import Network
from .cost import CostProfiler
from .held_out import held_out
from .worker_cache import cached_data

ROWS = 512  # rows of one call when many are scored


@dataclass(frozen=True)
class PackedModel:
    """A finished model: where it lies, how good it is, what it costs."""

    folder: Path
    scores: dict[str, float]
    profile: Profile


def pack(model: Network, data: Data, job: TrialJob, profiler: CostProfiler, cross_validated: dict[str, float]) -> PackedModel:
    """Export a network, make sure that the file answers as it does, score and weigh the file, write the bundle.

    Args:
        model: Trained.
        data: Its rows.
        job: The trial.
        profiler: Weighs the exported file.
        cross_validated: Cross-validated scores; empty where the file is to be scored on the validation rows.

    Raises:
        BundleError: The file does not answer as the network does.
    """
    folder = Path(job.folder) / "bundle"
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "model.onnx"
        # Of ours it is known that no row's answer depends on the others of a call; a few alone are asked for the rest of them.
        alone = None if isinstance(model, CustomNet) else QUICK_ROWS
        exported = export(deployable(model, data.spec), profiler.sample, path, alone=alone)
        answers = None if cross_validated else predict_split(exported, data.validation)
        final_scores = (
            cross_validated if answers is None else scores(answers, own_unit(data.validation.targets, data.spec), data.spec)
        )
        profile = profiler.profile_file(path, model, opened=exported)
        save(model, path.parent)
        write_bundle(
            folder,
            model=path,
            weights=path.parent / WEIGHTS,
            recipe=model.recipe.to_json(),
            preprocess=data.preprocess.to_json(),
            provenance=_provenance(job),
            card=card_of(model, job, profile, final_scores, Variant(), probabilities=calibration_note(job, answers)),
            runtime=Variant().to_json(),
        )
    return PackedModel(folder, final_scores, profile)


def artifact_scores(path: Path, split: Split, spec: DataSpec, *, threads: int = 1) -> dict[str, float]:
    """Scores of an exported file on some rows, in the target's own unit."""
    return model_scores(OnnxModel(path, threads), split, spec)


def bundle_scores(bundle: Path, split: Split, spec: DataSpec, *, threads: int = 1) -> dict[str, float]:
    """Scores of a bundle's file on some rows, in the runtime that it was chosen for and in the target's own unit."""
    return model_scores(open_bundle(bundle, threads), split, spec)


def model_scores(model: InferenceSession, split: Split, spec: DataSpec) -> dict[str, float]:
    """The same of an opened model."""
    return scores(predict_split(model, split), own_unit(split.targets, spec), spec)


def predict_split(model: InferenceSession, split: Split) -> NDArray[np.float32]:
    """What an opened model answers to some rows, in the order of the rows."""
    arrays = {name: rows.numpy() for name, rows in split.inputs.items()}
    starts = range(0, len(split), ROWS)
    return np.concatenate([model({name: rows[at : at + ROWS] for name, rows in arrays.items()}) for at in starts])


def _provenance(job: TrialJob) -> dict[str, object]:
    return provenance_of(
        data=job.data.name, digest=job.data.digest, trial=job.trial, uid=job.uid, config=job.config, seed=job.train.seed
    )


def calibration_note(job: TrialJob, answers: NDArray[Any] | None) -> str:
    """Whether a finished model's probabilities can be believed, for its card: from the answers that its report looks at.

    Args:
        job: The trial.
        answers: To the validation rows; None where scores were cross-validated, and the answers lie in the trial's folder.

    Returns:
        A sentence; empty where a number is predicted, or where the answers were not kept.
    """
    data, split = cached_data(job.data), "validation"
    if data.spec.task == "regression":
        return ""
    rows = data.validation
    if answers is None:
        try:
            (rows, answers), split = held_out(Path(job.folder), data), "held-out"
        except DataError:  # the disk had no room for them
            return ""
    predicted, truth = answers.argmax(1), own_unit(rows.targets, data.spec).numpy()
    return calibration_verdict(calibration(np.clip(answers.max(1), 0.0, 1.0), predicted == truth)[0], split)


def card_of(
    model: Network, job: TrialJob, profile: Profile, final_scores: dict[str, float], variant: Variant, *, probabilities: str
) -> str:
    """The card of a trial's model, as it runs."""
    return model_card(
        name=f"{job.data.name}/{job.trial}",
        recipe=model.recipe,
        spec=job.data,
        target=job.target,
        profile=profile,
        metric=job.metric,
        scores=final_scores,
        variant=variant,
        probabilities=probabilities,
    )
