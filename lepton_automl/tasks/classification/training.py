"""Losses and scores of classifiers in training."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, nll_loss

TWO = 2
LEAST_PROBABILITY = 1e-4  # of a class in the answers of a teacher: a smaller one says little, and its logarithm much


class CrossEntropy(nn.Module):
    """Cross-entropy with smoothed labels and class weights.

    Args:
        class_weight: One weight per class; empty for none.
        smoothing: Share of the target mass that is spread over all classes.
    """

    weight: Tensor | None

    def __init__(self, class_weight: tuple[float, ...], smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("weight", torch.tensor(class_weight) if class_weight else None)

    def forward(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """The mean loss of logits [N, K] and class indices [N], for rows of some weights [N]."""
        if weights is None:
            return cross_entropy(outputs, targets, weight=self.weight, label_smoothing=self.smoothing)
        losses = cross_entropy(outputs, targets, weight=self.weight, label_smoothing=self.smoothing, reduction="none")
        return (losses * weights).sum() / (len(targets) if self.weight is None else self.weight[targets].sum())


def divergence(outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The Kullback-Leibler divergence of softened probabilities, times the squared temperature.

    The factor keeps gradients from shrinking with the temperature (Hinton et al., Distilling the Knowledge in a Neural Network,
    2015).
    """
    soft = (outputs / temperature).log_softmax(-1)
    return kl_div(soft, (teacher / temperature).log_softmax(-1), reduction="batchmean", log_target=True) * temperature**2


def class_metrics(answers: Tensor, targets: Tensor) -> dict[str, float]:
    """The scores of a classifier, by scikit-learn's definitions.

    Args:
        answers: Probabilities [N, K].
        targets: Class indices [N].

    Returns:
        The scores by name; `auroc` and `average_precision` may be NaN, see `areas`.
    """
    answers = answers.float().clamp(0, 1)
    classes = answers.shape[1]
    # Rows of the confusion matrix are the truth, columns the answers.
    confusion = torch.bincount(targets * classes + answers.argmax(1), minlength=classes**2).reshape(classes, classes).double()
    right, real, answered = confusion.diag(), confusion.sum(1), confusion.sum(0)
    present, known = real > 0, real + answered > 0
    # Rounding may turn a small probability into zero, whose logarithm would outweigh all other rows.
    likely = answers.clamp_min(torch.finfo(answers.dtype).eps).log()
    area, precision = areas(answers, targets)
    rows = real.sum()
    spread = (rows**2 - (real**2).sum()) * (rows**2 - (answered**2).sum())
    mcc = (right.sum() * rows - real @ answered) / spread.sqrt()
    return {
        "accuracy": (right.sum() / real.sum()).item(),
        "balanced_accuracy": (right[present] / real[present]).mean().item(),
        "f1": (2 * right[known] / (real + answered)[known]).mean().item(),
        "auroc": area,
        "average_precision": precision,
        "mcc": mcc.item() if spread > 0 else 0.0,
        "log_loss": nll_loss(likely, targets).item(),
    }


def areas(answers: Tensor, targets: Tensor) -> tuple[float, float]:
    """Area under the ROC curve, and average precision: of class 1 if there are two classes, else the mean over classes.

    Average precision is the sum of the precisions at each threshold, weighted by the increase in recall. A class without rows is
    left out of both means, a class of all rows out of the first; a mean over nothing is NaN.

    Args:
        answers: Probabilities [N, K].
        targets: Class indices [N].
    """
    counts = torch.bincount(targets, minlength=answers.shape[1]).tolist()
    classes = [1] if answers.shape[1] == TWO else range(answers.shape[1])
    curves = [(k, *_curve(answers[:, k], targets == k)) for k in classes if counts[k]]
    roc = [area for k, area, _ in curves if counts[k] < len(targets)]
    return (sum(roc) / len(roc) if roc else math.nan, sum(ap for _, _, ap in curves) / len(curves) if curves else math.nan)


def _curve(probabilities: Tensor, positive: Tensor) -> tuple[float, float]:
    """Area under the ROC curve, and average precision, of one class [N] that has rows."""
    ordered, order = probabilities.sort(descending=True)
    last = torch.cat([ordered[1:] != ordered[:-1], ordered.new_ones(1, dtype=torch.bool)])  # equal ones share a threshold
    hits = positive[order].double().cumsum(0)[last]
    answered = torch.arange(1, len(ordered) + 1, dtype=torch.double)[last]
    misses = answered - hits
    gained, passed = hits.diff(prepend=hits.new_zeros(1)), misses.diff(prepend=hits.new_zeros(1))
    negatives = max(misses[-1].item(), 1.0)
    area = (passed * (hits - gained / 2)).sum().item() / (negatives * hits[-1].item())
    return area, (gained * hits / answered).sum().item() / hits[-1].item()
