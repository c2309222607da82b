"""Knowledge distillation: a pruned network learns from the network that it was pruned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

from .loss import Batch

TEACHER_OUTPUTS = "teacher_outputs"  # the name of the teacher's outputs among a batch's inputs


class LossFunction(Protocol):
    """A loss of outputs and their batch."""

    def __call__(self, outputs: Tensor, batch: Batch) -> Tensor: ...  # noqa: D102  # documented above


@dataclass(frozen=True)
class Distillation:
    """The weight and temperature of the distillation loss.

    Args:
        share: Its share of the loss, 0 to 1.
        temperature: Divisor of the logits.
    """

    share: float = 0.9
    temperature: float = 4.0


class DistillationLoss(nn.Module):
    """The weighted sum of the task's loss and the distance to the parent's outputs for the same rows.

    The task defines the distance: the divergence of softened probabilities for classes (Hinton et al., Distilling the Knowledge
    in a Neural Network, 2015), the squared error for values. The parent's outputs are read from the batch, so that the parent
    runs once per row, not once per epoch.

    Args:
        loss: The task's own loss.
        spec: The task, which defines the distance between outputs.
        distillation: The share and temperature.
    """

    def __init__(self, loss: nn.Module, *, spec: DataSpec, distillation: Distillation) -> None:
        super().__init__()
        self.loss, self.task, self.distillation = loss, task_of(spec), distillation

    def forward(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The mean loss of one batch, a scalar; `batch.inputs["teacher_outputs"]` has the shape of the outputs."""
        own: Tensor = self.loss(outputs, batch)
        share = self.distillation.share
        return (1 - share) * own + share * self.distance(outputs, batch.inputs[TEACHER_OUTPUTS])

    def distance(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """The distance of outputs from the parent's, a scalar."""
        return self.task.distance(outputs, teacher, self.distillation.temperature)
