"""The loss of quantile regression."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Pinball(nn.Module):
    """The pinball loss of standardised values (Koenker and Bassett, Regression Quantiles, 1978).

    Args:
        quantiles: Numbers between 0 and 1, in ascending order.
    """

    levels: Tensor

    def __init__(self, quantiles: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor(quantiles), persistent=False)

    def forward(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """The mean loss of quantiles [N, K] and targets [N], for rows of some weights [N]."""
        shortfall = targets.unsqueeze(1) - outputs
        losses = torch.maximum(self.levels * shortfall, (self.levels - 1) * shortfall)
        return losses.mean() if weights is None else (losses.mean(1) * weights).mean()
