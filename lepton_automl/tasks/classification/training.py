"""Losses and scores of classifiers in training."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, nll_loss
from torchmetrics.functional.classification import binary_auroc


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

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of logits [N, K] and class indices [N]."""
        return cross_entropy(outputs, targets, weight=self.weight, label_smoothing=self.smoothing)


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
        The scores by name; `auroc` is NaN if all rows are of one class.
    """
    answers = answers.float().clamp(0, 1)
    classes = answers.shape[1]
    # Rows of the confusion matrix are the truth, columns the answers.
    confusion = torch.bincount(targets * classes + answers.argmax(1), minlength=classes**2).reshape(classes, classes).double()
    right, real, answered = confusion.diag(), confusion.sum(1), confusion.sum(0)
    present, known = real > 0, real + answered > 0
    # Rounding may turn a small probability into zero, whose logarithm would outweigh all other rows.
    likely = answers.clamp_min(torch.finfo(answers.dtype).eps).log()
    return {
        "accuracy": (right.sum() / real.sum()).item(),
        "balanced_accuracy": (right[present] / real[present]).mean().item(),
        "f1": (2 * right[known] / (real + answered)[known]).mean().item(),
        "auroc": auroc(answers, targets),
        "log_loss": nll_loss(likely, targets).item(),
    }


def auroc(answers: Tensor, targets: Tensor) -> float:
    """Area under the ROC curve: of class 1 if there are two, else the mean over classes, each against the rest.

    A class without rows has no curve and is left out of the mean; the area is NaN if all rows are of one class.
    """
    classes = [1] if answers.shape[1] == 2 else range(answers.shape[1])
    counts = torch.bincount(targets, minlength=answers.shape[1]).tolist()
    curves = [k for k in classes if 0 < counts[k] < len(targets)]
    areas = [binary_auroc(answers[:, k], (targets == k).long(), validate_args=False).item() for k in curves]
    return sum(areas) / len(areas) if areas else math.nan
