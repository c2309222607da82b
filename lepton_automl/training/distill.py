"""A smaller network taught by the one that it was cut from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn
from torch.nn.functional import kl_div, mse_loss

from .loss import Batch

TEACHER_OUTPUTS = "told"  # the input under which the parent's outputs travel in a batch


class LossFunction(Protocol):
    """A loss of outputs and their batch."""

    def __call__(self, outputs: Tensor, batch: Batch) -> Tensor: ...  # noqa: D102  # told above


@dataclass(frozen=True)
class Distillation:
    """How much of the loss is the parent's, and how soft its answers are.

    Args:
        share: Of the loss, 0 to 1.
        temperature: What logits are divided by.
    """

    share: float = 0.9
    temperature: float = 4.0


class DistillationLoss(nn.Module):
    """The task's loss, and the distance to what the parent said of the same rows.

    For classes, the Kullback-Leibler divergence of softened probabilities, times the squared temperature, so that its
    gradients do not shrink with it (Hinton et al., Distilling the Knowledge in a Neural Network, 2015); for values, the
    squared error. The parent's outputs are taken from the batch: it answers each row once, not once an epoch.

    Args:
        loss: The task's own.
        values: Whether outputs are values rather than logits.
        how: Shares and temperature.
    """

    def __init__(self, loss: nn.Module, *, values: bool, how: Distillation) -> None:
        super().__init__()
        self.loss, self.values, self.how = loss, values, how

    def forward(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The mean loss of one batch, a scalar; `batch.inputs["told"]` is what the parent gave, as the outputs are."""
        own: Tensor = self.loss(outputs, batch)
        return (1 - self.how.share) * own + self.how.share * self.distance(outputs, batch.inputs[TEACHER_OUTPUTS])

    def distance(self, outputs: Tensor, told: Tensor) -> Tensor:
        """How far answers are from the parent's, a scalar."""
        if self.values:
            return mse_loss(outputs, told)
        soft, heat = (outputs / self.how.temperature).log_softmax(-1), self.how.temperature
        return kl_div(soft, (told / heat).log_softmax(-1), reduction="batchmean", log_target=True) * heat**2
