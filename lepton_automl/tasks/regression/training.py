"""Numbers in training: their loss and their scores."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn.functional import mse_loss


class SquaredError(nn.Module):
    """The squared error of standardised values."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of values [N, 1] and targets [N]."""
        return mse_loss(outputs.squeeze(1), targets)


def number_metrics(answers: Tensor, targets: Tensor) -> dict[str, float]:
    """Every score of values [N], by scikit-learn's definitions; `r2` is NaN where all targets are equal."""
    answers, targets = answers.double(), targets.double()
    error = answers - targets
    squares, spread = error.square().sum().item(), (targets - targets.mean()).square().sum().item()
    return {
        "rmse": math.sqrt(squares / len(targets)),
        "mae": error.abs().mean().item(),
        "r2": 1 - squares / spread if spread else math.nan,
    }
