"""Quantiles in training: their loss."""

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
