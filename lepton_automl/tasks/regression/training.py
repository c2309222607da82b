"""The loss of regression."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import mse_loss


class SquaredError(nn.Module):
    """The squared error of standardised values."""

    quadratic: ClassVar[bool] = True  # linear models have a closed form

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of values [N, 1] and targets [N]."""
        return mse_loss(outputs.squeeze(1), targets)
