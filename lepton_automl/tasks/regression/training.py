"""Numbers in training: their loss, the answers, their scores."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn.functional import mse_loss


class SquaredError(nn.Module):
    """The squared error of standardised values."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of values [N, 1] and targets [N]."""
        return mse_loss(outputs.squeeze(1), targets)


class Values(nn.Module):
    """Values of a network's one output; members' values are averaged.

    Args:
        members: Whether outputs are [N, members, 1] rather than [N, 1].
        mean: What a standardised value of 0 stands for.
        scale: What a standardised step of 1 stands for.
    """

    def __init__(self, *, members: bool, mean: float = 0.0, scale: float = 1.0) -> None:
        super().__init__()
        self.members, self.mean, self.scale = members, mean, scale

    def forward(self, outputs: Tensor) -> Tensor:
        """[N, 1] or [N, members, 1] to values [N]."""
        answers = outputs.mean(1) if self.members else outputs
        return answers.reshape(-1) * self.scale + self.mean


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
