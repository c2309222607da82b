"""Losses, thresholds and temperatures of multi-label classification."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lepton_automl.arrays import Array
from lepton_automl.data.temperature import fit_temperature

from .decoder import ROUNDED

LEAST_PROBABILITY = 1e-4  # in the answers of a teacher; likewise from 1


class BinaryCrossEntropy(nn.Module):
    """The mean binary cross-entropy over all labels, smoothed and weighted.

    Args:
        class_weight: One weight per label; empty for none.
        smoothing: How far the targets 0 and 1 are moved towards one half.
    """

    weight: Tensor | None

    def __init__(self, class_weight: tuple[float, ...], smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("weight", torch.tensor(class_weight) if class_weight else None)

    def forward(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """The mean loss of logits [N, K] and zeros and ones [N, K], for rows of some weights [N]."""
        smoothed = targets * (1 - self.smoothing) + 0.5 * self.smoothing
        if weights is None:
            return binary_cross_entropy_with_logits(outputs, smoothed, weight=self.weight)
        losses = binary_cross_entropy_with_logits(outputs, smoothed, weight=self.weight, reduction="none")
        return (losses.mean(1) * weights).mean()


def teacher_distance(outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The cross-entropy of softened probabilities, times the squared temperature."""
    loss = binary_cross_entropy_with_logits(outputs / temperature, (teacher / temperature).sigmoid())
    return loss * temperature**2


def best_thresholds(answers: Array, truth: Array) -> list[float]:
    """For each label the threshold with the highest F1, midway between two probabilities; 0.5 if no row has the label.

    Args:
        answers: Probabilities [N, K].
        truth: Zeros and ones [N, K].
    """
    return [_best_threshold(answers[:, label].astype(np.float64), truth[:, label] > 0.5) for label in range(truth.shape[1])]


def best_temperatures(answers: Array, truth: Array) -> list[float]:
    """For each label the temperature of its logit with the lowest log loss.

    Args:
        answers: Probabilities [N, K].
        truth: Zeros and ones [N, K].
    """
    pairs = np.stack([1 - answers.astype(np.float64), answers], 2).clip(ROUNDED)
    return [fit_temperature(pairs[:, label], (truth[:, label] > 0.5).astype(np.int64)) for label in range(truth.shape[1])]


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
