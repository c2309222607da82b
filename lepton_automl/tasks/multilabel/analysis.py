"""Error analysis of multi-label classification."""

from __future__ import annotations

from typing import Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.error_analysis import ClassScore
from lepton_automl.task import Analysis


def analyze_label_sets(answers: Array, truth: Array, labels: tuple[Any, ...], thresholds: Array, worst: int) -> Analysis:
    """Scores of each label, and the wrong rows with the highest loss.

    Args:
        answers: Probabilities [N, K].
        truth: Zeros and ones [N, K].
        labels: The labels in order.
        thresholds: The probability from which a label is predicted, [K].
        worst: How many wrong rows to list.
    """
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
    return Analysis(worst=listed, parts={"classes": classes, "wrong_rows": int(wrong.sum())})


def _named(chosen: Array, labels: tuple[Any, ...]) -> str:
    return ", ".join(str(label) for label, is_chosen in zip(labels, chosen.tolist(), strict=True) if is_chosen) or "none"
