"""Error analysis of multi-label classification."""

from __future__ import annotations

from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.data.label_targets import sets_coverage
from lepton_automl.error_analysis import ClassScore
from lepton_automl.task import Analysis

from .decoder import with_temperatures

BINS = 15  # as in the usual definition of the calibration error


def analyze_label_sets(outputs: Array, truth: Array, labels: tuple[Any, ...], decoder: Json, worst: int) -> Analysis:
    """Scores of each label, the wrong rows with the highest loss, and how well probabilities are calibrated.

    Args:
        outputs: The model's probabilities [N, K], before they are calibrated.
        truth: Zeros and ones [N, K].
        labels: The labels in order.
        decoder: The fitted `thresholds` and `temperature`, and the quantiles of `regions`.
        worst: How many wrong rows to list.
    """
    thresholds = np.array(decoder.get("thresholds") or [0.5] * len(labels))
    answers = with_temperatures(outputs, np.array(decoder.get("temperature") or [1.0] * len(labels)))
    true, predicted = truth > 0.5, answers >= thresholds
    right = true & predicted
    likely = np.clip(np.where(true, answers, 1 - answers), np.finfo(np.float32).eps, 1.0)
    loss = -np.log(likely).mean(1)
    wrong = (true != predicted).any(1)
    rows = [row for row in np.argsort(-loss, kind="stable").tolist() if wrong[row]][:worst]
    listed = [
        (row, {"truth": _named(true[row], labels), "answer": _named(predicted[row], labels), "loss": float(loss[row])})
        for row in rows
    ]
    classes = tuple(
        ClassScore(label=label, rows=int(t), answered=int(g), right=int(r))
        for label, t, g, r in zip(labels, true.sum(0), predicted.sum(0), right.sum(0), strict=True)
    )
    parts = {
        "classes": classes,
        "wrong_rows": int(wrong.sum()),
        "calibration_error": calibration_error(answers, true),
        "regions": sets_coverage(answers, true, decoder.get("regions")),
    }
    if "temperature" in decoder:
        parts["uncalibrated_error"] = calibration_error(outputs, true)
    return Analysis(worst=listed, parts=parts)


def calibration_error(likely: Array, truth: Array) -> float:
    """The mean distance between the probability of a label and its frequency, over bins of equal width and all labels.

    Args:
        likely: Probabilities [N, K].
        truth: Which labels each row has, [N, K].
    """
    rows, labels = likely.shape
    places = (np.clip(likely * BINS, 0, BINS - 1).astype(int) + BINS * np.arange(labels)).ravel()
    gaps = np.bincount(places, (truth - likely.astype(np.float64)).ravel(), BINS * labels)
    return float(np.abs(gaps).sum() / max(rows * labels, 1))


def _named(chosen: Array, labels: tuple[Any, ...]) -> str:
    return ", ".join(str(label) for label, is_chosen in zip(labels, chosen.tolist(), strict=True) if is_chosen) or "none"
