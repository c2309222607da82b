"""How good answers are: every score of a task, of training's networks and of exported artifacts alike."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import nll_loss
from torchmetrics.functional.classification import binary_auroc

from lepton_automl.specs import DataSpec

Numbers: TypeAlias = Tensor | NDArray[np.generic]


def scores(answers: Numbers, targets: Numbers, spec: DataSpec) -> dict[str, float]:
    """Every score of the task.

    A score that is not defined on these rows is left out: `auroc` where all are of one class, `r2` where all values
    are equal. Definitions are those of scikit-learn.

    Args:
        answers: Probabilities [N, K], or values [N] in the target's own unit.
        targets: Class indices [N], or values [N] in the target's own unit (see `own_unit`).
        spec: The task.

    Returns:
        Scores by the names of `task.METRICS`.
    """
    told, truth = torch.as_tensor(answers).cpu(), torch.as_tensor(targets).cpu()
    found = (
        _regression(told.double(), truth.double())
        if spec.task == "regression"
        else _classification(told.float().clamp(0, 1), truth)
    )
    return {name: score for name, score in found.items() if not math.isnan(score)}


def own_unit(values: Tensor, spec: DataSpec) -> Tensor:
    """Standardised values in the target's own unit, as float64; class indices and probabilities as they are."""
    return values.double() * spec.target_scale + spec.target_mean if spec.task == "regression" else values


def _regression(told: Tensor, truth: Tensor) -> dict[str, float]:
    error = told - truth
    squares, spread = error.square().sum().item(), (truth - truth.mean()).square().sum().item()
    return {
        "rmse": math.sqrt(squares / len(truth)),
        "mae": error.abs().mean().item(),
        "r2": 1 - squares / spread if spread else math.nan,
    }


def _classification(told: Tensor, truth: Tensor) -> dict[str, float]:
    classes = told.shape[1]
    # Rows of the confusion matrix are the truth, columns the answers.
    confusion = torch.bincount(truth * classes + told.argmax(1), minlength=classes**2).reshape(classes, classes).double()
    right, real, answered = confusion.diag(), confusion.sum(1), confusion.sum(0)
    here, known = real > 0, real + answered > 0
    # A sum of a few small probabilities may be off by a rounding; the logarithm of zero would outweigh all other rows.
    likely = told.clamp_min(torch.finfo(told.dtype).eps).log()
    return {
        "accuracy": (right.sum() / real.sum()).item(),
        "balanced_accuracy": (right[here] / real[here]).mean().item(),
        "f1": (2 * right[known] / (real + answered)[known]).mean().item(),
        "auroc": _auroc(told, truth),
        "log_loss": nll_loss(likely, truth).item(),
    }


def _auroc(told: Tensor, truth: Tensor) -> float:
    """Area under the ROC curve: of class 1 where there are two, else the mean over classes, each against the rest.

    A class that is absent has no curve and is left out of the mean; nothing is left where one class is all there is.
    """
    classes = [1] if told.shape[1] == 2 else range(told.shape[1])
    counts = torch.bincount(truth, minlength=told.shape[1]).tolist()
    curves = [k for k in classes if 0 < counts[k] < len(truth)]
    areas = [binary_auroc(told[:, k], (truth == k).long(), validate_args=False).item() for k in curves]
    return sum(areas) / len(areas) if areas else math.nan
