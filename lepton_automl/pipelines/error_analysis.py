"""Error analysis of a finished model on unseen rows."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.data.glance import picture
from lepton_automl.data.open import Data, Split, open_test
from lepton_automl.data.original import original_rows
from lepton_automl.deployment.open_artifact import open_bundle
from lepton_automl.error_analysis import ErrorAnalysis, ErrorAnalysisJob, Example
from lepton_automl.errors import DataError
from lepton_automl.training.findings import calibration, class_scores, confusion
from lepton_automl.training.scores import own_unit, scores

from .held_out import held_out
from .pack import predict_split
from .worker_cache import cached_data

Array = NDArray[Any]
PAIRS = 1_000  # rows whose truth and prediction are kept


def analyze_errors(job: ErrorAnalysisJob) -> ErrorAnalysis:
    """Analyse the errors of a finished model in its own runtime.

    Raises:
        DataError: There are no rows to evaluate.
    """
    data = cached_data(job.trial.data)
    split, answers = held_out(Path(job.trial.folder), data) if job.split == "held-out" else _predictions(job, data)
    truth = own_unit(split.targets, data.spec).numpy()
    look = _numbers if data.spec.task == "regression" else _labels
    return ErrorAnalysis(
        trial=job.trial.trial,
        split=job.split,
        rows=len(split),
        task=data.spec.task,
        target=data.spec.target,
        scores=scores(answers, truth, data.spec),
        **look(job, data, split, answers, truth),
    )


def _predictions(job: ErrorAnalysisJob, data: Data) -> tuple[Split, Array]:
    """The rows of a split and the model's predictions."""
    split = open_test(data.spec) if job.split == "test" else data.validation
    if not len(split):
        fix = 'If scores were cross-validated, use split="held-out".'
        raise DataError(f"there are no {job.split} rows", where=data.spec.name, fix=fix)
    return split, predict_split(open_bundle(Path(job.bundle), job.trial.target.threads), split)


def _labels(job: ErrorAnalysisJob, data: Data, split: Split, answers: Array, truth: Array) -> dict[str, Any]:
    predicted, labels = answers.argmax(1), data.spec.classes
    confidence, right = np.clip(answers.max(1), 0.0, 1.0), predicted == truth
    loss = -np.log(np.clip(answers[np.arange(len(truth)), truth], np.finfo(np.float32).eps, 1.0))
    pairs = confusion(predicted, truth, len(labels))
    bins, error = calibration(confidence, right)
    worst = [row for row in np.argsort(-loss, kind="stable").tolist() if not right[row]][: job.worst]
    known: list[dict[str, Any]] = [
        {
            "truth": labels[truth[row]],
            "answer": labels[predicted[row]],
            "loss": float(loss[row]),
            "sure": float(confidence[row]),
        }
        for row in worst
    ]
    return {
        "classes": class_scores(pairs, labels),
        "confusion": pairs,
        "calibration": bins,
        "calibration_error": error,
        "worst": _examples(data, split, worst, known),
    }


def _numbers(job: ErrorAnalysisJob, data: Data, split: Split, answers: Array, truth: Array) -> dict[str, Any]:
    far = answers.astype(np.float64) - truth
    distance = np.abs(far)
    wrong = (row for row in np.argsort(-distance, kind="stable").tolist() if _rounded(answers[row]) != _rounded(truth[row]))
    worst = list(islice(wrong, job.worst))
    known: list[dict[str, Any]] = [
        {"truth": _rounded(truth[row]), "answer": _rounded(answers[row]), "loss": float(distance[row])} for row in worst
    ]
    kept = np.sort(np.random.default_rng(0).permutation(len(truth))[:PAIRS])
    return {
        "pairs": tuple((_rounded(truth[row]), _rounded(answers[row])) for row in kept),
        "bias": float(far.mean()),
        "spread": tuple(float(part) for part in np.quantile(distance, (0.5, 0.9, 1.0))),
        "worst": _examples(data, split, worst, known),
    }


def _rounded(number: float) -> float:
    """A number rounded to six digits, the precision of targets stored standardised in 32 bits."""
    return float(f"{number:.6g}")


def _examples(data: Data, split: Split, rows: list[int], known: list[dict[str, Any]]) -> tuple[Example, ...]:
    if data.spec.modality == "image":
        shown: list[dict[str, Any]] = [{"picture": picture(split.inputs["image"][row].numpy())} for row in rows]
    else:
        shown = [{"cells": cells} for cells in original_rows(data, split, rows)]
    return tuple(Example(row=row, **answer, **shown_row) for row, answer, shown_row in zip(rows, known, shown, strict=True))
