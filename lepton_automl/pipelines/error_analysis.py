"""Error analysis of a finished model on unseen rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lepton_automl.data.open import Data, Split, open_test
from lepton_automl.deployment.open_artifact import open_bundle
from lepton_automl.error_analysis import ErrorAnalysis, ErrorAnalysisJob, Example
from lepton_automl.errors import DataError
from lepton_automl.modality import modality_of
from lepton_automl.task import Analysis, task_of
from lepton_automl.training.scores import in_target_unit, scores

from .held_out import held_out
from .pack import decoder_of, predict_split
from .worker_cache import cached_data

Array = NDArray[Any]


def analyze_errors(job: ErrorAnalysisJob) -> ErrorAnalysis:
    """Analyse the errors of a finished model in its own runtime.

    Raises:
        DataError: There are no rows to evaluate.
    """
    data = cached_data(job.trial.data)
    split, answers = predictions(job, data)
    truth = in_target_unit(split.targets, data.spec).numpy()
    decoder = decoder_of(Path(job.bundle))
    analysis = task_of(data.spec).analyze(answers, truth, data.spec.output, decoder, job.worst)
    return ErrorAnalysis(
        trial=job.trial.trial,
        split=job.split,
        rows=len(split),
        task=data.spec.task,
        target=data.spec.target,
        scores=scores(answers, truth, data.spec, decoder, weights=split.weights),
        worst=_examples(data, split, analysis),
        **analysis.parts,
    )


def predictions(job: ErrorAnalysisJob, data: Data) -> tuple[Split, Array]:
    """The rows of a split and the model's predictions.

    Raises:
        DataError: There are no such rows.
    """
    if job.split == "held-out":
        return held_out(Path(job.trial.folder), data)
    split = open_test(data.spec) if job.split == "test" else data.validation
    if not len(split):
        fix = 'If scores were cross-validated, use split="held-out".'
        raise DataError(f"there are no {job.split} rows", where=data.spec.name, fix=fix)
    return split, predict_split(open_bundle(Path(job.bundle), job.trial.deployment.threads), split)


def _examples(data: Data, split: Split, analysis: Analysis) -> tuple[Example, ...]:
    """The worst rows, each with its image or its cells."""
    modality, inputs = modality_of(data.spec), {name: part.numpy() for name, part in split.inputs.items()}
    rows = [row for row, _ in analysis.worst]
    cells = modality.original(data.preprocess, inputs, rows)
    pictures = [modality.thumbnail({name: part[row] for name, part in inputs.items()}) for row in rows]
    return tuple(
        Example(row=row, picture=picture, cells=original, **details)
        for (row, details), picture, original in zip(analysis.worst, pictures, cells, strict=True)
    )
