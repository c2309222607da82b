"""Quantiles in training: their loss and their scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Pinball(nn.Module):
    """The pinball loss of standardised values (Koenker and Bassett, Regression Quantiles, 1978).

    Args:
        quantiles: Between 0 and 1, rising.
    """

    levels: Tensor

    def __init__(self, quantiles: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor(quantiles), persistent=False)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of quantiles [N, K] and targets [N]."""
        short = targets.unsqueeze(1) - outputs
        return torch.maximum(self.levels * short, (self.levels - 1) * short).mean()


def quantile_metrics(answers: Tensor, targets: Tensor, quantiles: tuple[float, ...]) -> dict[str, float]:
    """Every score of quantiles.

    Args:
        answers: [N, K].
        targets: [N].
        quantiles: Between 0 and 1, rising.
    """
    answers, targets = answers.double().sort(1).values, targets.double()
    levels = torch.tensor(quantiles, dtype=torch.float64)
    short = targets.unsqueeze(1) - answers
    below = (targets.unsqueeze(1) <= answers).double().mean(0)
    middle = int((levels - 0.5).abs().argmin())
    return {
        "pinball": torch.maximum(levels * short, (levels - 1) * short).mean().item(),
        "calibration_error": (below - levels).abs().mean().item(),
        "mae": short[:, middle].abs().mean().item(),
    }
