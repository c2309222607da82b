"""Knowledge distillation: a pruned network learns from the network that it was cut from."""

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

    def __init__(self, loss: nn.Module, *, spec: DataSpec, distillation: Distillation) -> None:
        super().__init__()
        self.loss, self.task, self.how = loss, task_of(spec), distillation

    def forward(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The mean loss of one batch, a scalar; `batch.inputs["teacher_outputs"]` has the shape of the outputs."""
        own: Tensor = self.loss(outputs, batch)
        return (1 - self.how.share) * own + self.how.share * self.distance(outputs, batch.inputs[TEACHER_OUTPUTS])

    def distance(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """How far answers are from the parent's, a scalar."""
        return self.task.distance(outputs, teacher, self.how.temperature)
