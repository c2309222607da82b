"""Error analysis of a classifier: confusion, scores of each class, and calibration."""

from __future__ import annotations

from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.calibration import with_temperature
from lepton_automl.data.label_targets import sets_coverage
from lepton_automl.error_analysis import CalibrationBin, ClassScore
from lepton_automl.task import Analysis

BINS = 15  # as in the usual definition


def confusion(answers: Array, truth: Array, classes: int) -> tuple[tuple[int, int, int], ...]:
    """Return (index of the truth, index of the answer, rows) for each pair that has rows.

    Args:
        answers: Class indices [N].
        truth: Class indices [N].
        classes: Number of classes.
    """
    cells, counts = np.unique(truth.astype(np.int64) * classes + answers, return_counts=True)
    return tuple((int(cell) // classes, int(cell) % classes, int(count)) for cell, count in zip(cells, counts, strict=True))


def class_scores(pairs: tuple[tuple[int, int, int], ...], labels: tuple[Any, ...]) -> tuple[ClassScore, ...]:
    """The scores of each class, from the confusion."""
    rows, answered, right = (np.zeros(len(labels), np.int64) for _ in range(3))
    for truth, answer, count in pairs:
        rows[truth] += count
        answered[answer] += count
        right[truth] += count * (truth == answer)
    counts = zip(labels, rows.tolist(), answered.tolist(), right.tolist(), strict=True)
    return tuple(ClassScore(label=label, rows=n, answered=a, right=r) for label, n, a, r in counts)


def calibration(sure: Array, right: Array) -> tuple[tuple[CalibrationBin, ...], float]:
    """The accuracy of answers by their confidence, and the expected calibration error.

    After Guo et al., On Calibration of Modern Neural Networks, ICML 2017: bins have equal width over the probability of the
    answer; the error is the mean over rows of the distance between the mean confidence and the accuracy of their bin.

    Args:
        sure: Probabilities of the answers [N].
        right: Whether each is right [N].

    Returns:
        The bins that hold rows, and the error.
    """
    edges = np.linspace(0.0, 1.0, BINS + 1)
    place = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
    bins = tuple(
        CalibrationBin(
            low=float(edges[at]),
            high=float(edges[at + 1]),
            rows=int(own.sum()),
            sure=float(sure[own].mean()),
            right=float(right[own].mean()),
        )
        for at in range(BINS)
        if (own := place == at).any()
    )
    return bins, float(sum(band.rows * abs(band.sure - band.right) for band in bins) / max(len(sure), 1))


def analyze_labels(outputs: Array, truth: Array, labels: tuple[Any, ...], decoder: Json, worst: int) -> Analysis:
    """The errors of a classifier.

    Args:
        outputs: The model's probabilities [N, K], before they are calibrated.
        truth: Class indices [N].
        labels: The classes in order.
        decoder: The fitted `temperature`, and the quantiles of `regions`.
        worst: How many wrong answers to list, those with the highest loss.
    """
    temperature = float(decoder.get("temperature", 1.0))
    answers, chosen = with_temperature(outputs, temperature), outputs.argmax(1)
    confidence, right = np.clip(answers.max(1), 0.0, 1.0), chosen == truth
    loss = -np.log(np.clip(answers[np.arange(len(truth)), truth], np.finfo(np.float32).eps, 1.0))
    pairs = confusion(chosen, truth, len(labels))
    bins, error = calibration(confidence, right)
    rows = [row for row in np.argsort(-loss, kind="stable").tolist() if not right[row]][:worst]
    listed = [
        (
            row,
            {
                "truth": labels[truth[row]],
                "answer": labels[chosen[row]],
                "loss": float(loss[row]),
                "sure": float(confidence[row]),
            },
        )
        for row in rows
    ]
    parts = {
        "classes": class_scores(pairs, labels),
        "confusion": pairs,
        "calibration": bins,
        "calibration_error": error,
        "regions": sets_coverage(answers, np.arange(len(labels)) == truth[:, None], decoder.get("regions")),
    }
    if temperature != 1.0:
        parts["uncalibrated_error"] = calibration(np.clip(outputs.max(1), 0.0, 1.0), right)[1]
    return Analysis(worst=listed, parts=parts)
