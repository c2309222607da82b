"""Scorers of classification; `training.class_metrics` computes the same values together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.metric import RankedScore, SummedScore, mean_score
from lepton_automl.ranked import areas_under_roc, average_precisions, mean_of_defined

LEAST = float(np.finfo(np.float32).eps)  # a probability of zero would outweigh all other rows


def class_scorers(classes: int) -> dict[str, SummedScore | RankedScore]:
    """The scorers of probabilities [N, classes] and class indices [N], by scikit-learn's definitions."""

    def counts(answers: Array, targets: Array) -> Array:
        """For each class: right answers, rows, answers."""
        chosen = answers.argmax(1)
        rows, right = np.arange(len(targets)), chosen == targets
        flags = np.zeros((len(targets), 3, classes))
        flags[rows[right], 0, targets[right]] = flags[rows, 1, targets] = flags[rows, 2, chosen] = 1
        return flags.reshape(len(targets), -1)

    def recall(sums: Array) -> float:
        right, real, _ = sums.reshape(3, classes)
        return float((right[real > 0] / real[real > 0]).mean())

    def f1(sums: Array) -> float:
        right, real, answered = sums.reshape(3, classes)
        known = real + answered > 0
        return float((2 * right[known] / (real + answered)[known]).mean())

    def mcc(sums: Array) -> float:
        """Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient, 2004."""
        right, real, answered = sums.reshape(3, classes)
        rows = real.sum()
        spread = (rows**2 - (real**2).sum()) * (rows**2 - (answered**2).sum())
        return float((right.sum() * rows - real @ answered) / np.sqrt(spread)) if spread > 0 else 0.0

    return {
        "accuracy": mean_score(lambda answers, targets: answers.argmax(1) == targets),
        "balanced_accuracy": SummedScore(counts, recall),
        "f1": SummedScore(counts, f1),
        "auroc": RankedScore(lambda answers, targets: _areas(answers, targets)[0], _resampled(areas_under_roc)),
        "average_precision": RankedScore(lambda answers, targets: _areas(answers, targets)[1], _resampled(average_precisions)),
        "mcc": SummedScore(counts, mcc),
        "log_loss": mean_score(_log_loss),
    }


def _log_loss(answers: Array, targets: Array) -> Array:
    likely = answers[np.arange(len(targets)), targets].astype(np.float64)
    loss: Array = -np.log(likely.clip(LEAST, 1))
    return loss


def _resampled(of_class: Callable[[Array, Array, Array], Array]) -> Callable[[Array, Array, Array], Array]:
    """As `training.areas`, for many resamples at once."""

    def scores(answers: Array, targets: Array, counts: Array) -> Array:
        classes = [1] if answers.shape[1] == 2 else range(answers.shape[1])
        return mean_of_defined(np.stack([of_class(answers[:, k], targets == k, counts) for k in classes]))

    return scores


def _areas(answers: Array, targets: Array) -> tuple[float, float]:
    import torch

    from .training import areas

    return areas(torch.from_numpy(answers).float().clamp(0, 1), torch.from_numpy(targets))
