"""A smaller network taught by the one that it was cut from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

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

    The distance is the task's: of classes the divergence of softened probabilities (Hinton et al., Distilling the Knowledge in a
    Neural Network, 2015), of values the squared error. The parent's outputs are taken from the batch: it answers each row once, not once an epoch.

    Args:
        loss: The task's own.
        spec: The task, which tells how far outputs are apart.
        how: Shares and temperature.
    """

    def __init__(self, loss: nn.Module, *, spec: DataSpec, how: Distillation) -> None:
        super().__init__()
        self.loss, self.task, self.how = loss, task_of(spec), how

    def forward(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The mean loss of one batch, a scalar; `batch.inputs["told"]` is what the parent gave, as the outputs are."""
        own: Tensor = self.loss(outputs, batch)
        return (1 - self.how.share) * own + self.how.share * self.distance(outputs, batch.inputs[TEACHER_OUTPUTS])

    def distance(self, outputs: Tensor, told: Tensor) -> Tensor:
        """How far answers are from the parent's, a scalar."""
        return self.task.distance(outputs, told, self.how.temperature)
