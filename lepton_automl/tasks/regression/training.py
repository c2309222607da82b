"""The loss of regression."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import mse_loss


class SquaredError(nn.Module):
    """The squared error of standardised values."""

    quadratic: ClassVar[bool] = True  # linear models have a closed form

    def forward(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """The mean loss of values [N, 1] and targets [N], for rows of some weights [N]."""
        if weights is None:
            return mse_loss(outputs.squeeze(1), targets)
        return (mse_loss(outputs.squeeze(1), targets, reduction="none") * weights).mean()
