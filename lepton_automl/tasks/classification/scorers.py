"""The scores of classes; `training.class_metrics` gives the same values at once."""

from __future__ import annotations

import math

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.metric import RankedScore, Scorer, SummedScore, mean_score

LEAST = float(np.finfo(np.float32).eps)  # a probability of zero would outweigh all other rows


def class_scorers(classes: int) -> dict[str, Scorer]:
    """Every score of probabilities [N, classes] and class indices [N], by scikit-learn's definitions."""

    def counts(answers: Array, targets: Array) -> Array:
        """By class: right answers, rows of it, answers of it."""
        chosen = answers.argmax(1)
        rows, right = np.arange(len(targets)), chosen == targets
        found = np.zeros((len(targets), 3, classes))
        found[rows[right], 0, targets[right]] = found[rows, 1, targets] = found[rows, 2, chosen] = 1
        return found.reshape(len(targets), -1)

    def recall(sums: Array) -> float:
        right, real, _ = sums.reshape(3, classes)
        return float((right[real > 0] / real[real > 0]).mean())

    def f1(sums: Array) -> float:
        right, real, answered = sums.reshape(3, classes)
        known = real + answered > 0
        return float((2 * right[known] / (real + answered)[known]).mean())

    return {
        "accuracy": mean_score(lambda answers, targets: answers.argmax(1) == targets),
        "balanced_accuracy": SummedScore(counts, recall),
        "f1": SummedScore(counts, f1),
        "auroc": RankedScore(_auroc),
        "log_loss": mean_score(_log_loss),
    }


def _log_loss(answers: Array, targets: Array) -> Array:
    likely = answers[np.arange(len(targets)), targets].astype(np.float64)
    loss: Array = -np.log(likely.clip(LEAST, 1))
    return loss


def _auroc(answers: Array, targets: Array) -> float:
    import torch

    from .training import auroc

    return auroc(torch.from_numpy(answers).float().clamp(0, 1), torch.from_numpy(targets)) if len(targets) else math.nan
