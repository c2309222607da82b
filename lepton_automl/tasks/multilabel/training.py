"""Sets of labels in training: their loss, their probabilities, their scores."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lepton_automl.arrays import Array


class BinaryCrossEntropy(nn.Module):
    """The mean cross-entropy of all labels, each by itself, smoothed and weighted.

    Args:
        class_weight: One weight a label; empty for none.
        smoothing: How far the targets 0 and 1 are moved towards one half.
    """

    weight: Tensor | None

    def __init__(self, class_weight: tuple[float, ...], smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("weight", torch.tensor(class_weight) if class_weight else None)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of logits [N, K] and zeros and ones [N, K]."""
        smoothed = targets * (1 - self.smoothing) + 0.5 * self.smoothing
        return binary_cross_entropy_with_logits(outputs, smoothed, weight=self.weight)


def teacher_distance(outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The cross-entropy of softened probabilities, times the squared temperature."""
    loss = binary_cross_entropy_with_logits(outputs / temperature, (teacher / temperature).sigmoid())
    return loss * temperature**2


def label_metrics(answers: Tensor, targets: Tensor, thresholds: Tensor) -> dict[str, float]:
    """Every score of sets of labels, by scikit-learn's definitions.

    Args:
        answers: Probabilities [N, K].
        targets: Zeros and ones [N, K].
        thresholds: From which probability on a label is given, [K].

    Returns:
        `mean_average_precision` is the mean over the labels that some row has; NaN where none has any.
    """
    answers, truth = answers.double().clamp(0, 1), targets > 0.5
    given = answers >= thresholds
    right, given_rows, true_rows = ((part).double().sum(0) for part in (given & truth, given, truth))
    known = given_rows + true_rows > 0
    each = 2 * right[known] / (given_rows + true_rows)[known]
    total = (given_rows + true_rows).sum()
    likely = torch.where(truth, answers, 1 - answers).clamp_min(torch.finfo(torch.float32).eps)
    return {
        "mean_average_precision": _mean_average_precision(answers.numpy(), truth.numpy()),
        "micro_f1": (2 * right.sum() / total).item() if total else math.nan,
        "macro_f1": each.mean().item() if len(each) else math.nan,
        "subset_accuracy": (given == truth).all(1).double().mean().item(),
        "log_loss": -likely.log().mean().item(),
    }


def _mean_average_precision(answers: Array, truth: Array) -> float:
    from sklearn.metrics import average_precision_score

    known = np.flatnonzero(truth.any(0))
    if not len(known):
        return math.nan
    return float(np.mean([average_precision_score(truth[:, label], answers[:, label]) for label in known]))


def best_thresholds(answers: Array, truth: Array) -> list[float]:
    """For each label the threshold with the highest F1, in the middle between two probabilities; 0.5 where no row has it.

    Args:
        answers: Probabilities [N, K].
        truth: Zeros and ones [N, K].
    """
    return [_best_threshold(answers[:, label].astype(np.float64), truth[:, label] > 0.5) for label in range(truth.shape[1])]


def _best_threshold(answers: Array, truth: Array) -> float:
    if not truth.any():
        return 0.5
    order = np.argsort(-answers, kind="stable")
    sure, right = answers[order], np.cumsum(truth[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + truth.sum())
    f1[:-1][sure[:-1] == sure[1:]] = -1.0  # no threshold can be put between equal probabilities
    last = int(np.argmax(f1))
    following = float(sure[last + 1]) if last + 1 < len(sure) else 0.0
    return (float(sure[last]) + following) / 2
