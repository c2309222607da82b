"""Knowledge distillation: a network learns from the outputs of a teacher, such as the network that it was pruned from."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

from .loss import Batch


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
    """The weighted sum of the task's loss and the distance to a teacher's outputs for the same rows.

    The task defines the distance: the divergence of softened probabilities for classes (Hinton et al., Distilling the Knowledge
    in a Neural Network, 2015), the squared error for values. The teacher's outputs are read from the batch, so that it runs once
    per row, not once per epoch. For mixed rows, the distances to both rows' outputs are weighted by their shares, like the losses
    for both targets. Each member of an ensemble learns from the teacher separately.

    Args:
        loss: The task's own loss.
        spec: The task, which defines the distance between outputs.
        distillation: The share and temperature.
        ensemble: Whether outputs have an axis of members.
    """

    def __init__(self, loss: nn.Module, *, spec: DataSpec, distillation: Distillation, ensemble: bool = False) -> None:
        super().__init__()
        self.loss, self.task, self.distillation, self.ensemble = loss, task_of(spec), distillation, ensemble

    def forward(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The mean loss of one batch, a scalar.

        Args:
            outputs: [N, K], or [N, members, K] for an ensemble.
            batch: The rows that the outputs belong to, with the teacher's outputs for them.
        """
        own: Tensor = self.loss(outputs, batch)
        assert batch.teacher is not None
        distance = self.distance(outputs, batch.teacher)
        if batch.other_teacher is not None:
            distance = batch.share * distance + (1 - batch.share) * self.distance(outputs, batch.other_teacher)
        return (1 - self.distillation.share) * own + self.distillation.share * distance

    def distance(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """The distance of outputs from the teacher's [N, K], a scalar."""
        if self.ensemble:
            outputs, teacher = outputs.flatten(0, 1), teacher.repeat_interleave(outputs.shape[1], 0)
        return self.task.distance(outputs, teacher, self.distillation.temperature)
