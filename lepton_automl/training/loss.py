"""The loss that training minimises."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of


class Batch(Protocol):
    """The rows of one step.

    Attributes:
        inputs: The arguments of the network's `forward`, by name; each [N, ...].
        targets: Class indices int64 [N], or standardised values float32 [N].
        other: Targets of the rows that were mixed in, or None.
        share: The share of the original row in each mixed row, 0 to 1.
        weights: The weight of each row, float32 [N]; None if all count alike.
        teacher: A teacher's outputs for the rows, float32 [N, K]; None without a teacher.
        other_teacher: Its outputs for the rows that were mixed in, or None.
    """

    @property
    def inputs(self) -> dict[str, Tensor]: ...  # noqa: D102  # documented above
    @property
    def targets(self) -> Tensor: ...  # noqa: D102  # documented above
    @property
    def other(self) -> Tensor | None: ...  # noqa: D102  # documented above
    @property
    def share(self) -> float: ...  # noqa: D102  # documented above
    @property
    def weights(self) -> Tensor | None: ...  # noqa: D102  # documented above
    @property
    def teacher(self) -> Tensor | None: ...  # noqa: D102  # documented above
    @property
    def other_teacher(self) -> Tensor | None: ...  # noqa: D102  # documented above


class Loss(nn.Module):
    """The task's loss for a batch.

    For mixed rows, the losses for both targets are weighted by their shares (Zhang et al., mixup, ICLR 2018). The members of
    an ensemble are trained separately: the loss is the mean of their losses (Gorishniy et al., TabM, ICLR 2025).

    Args:
        spec: The task.
        plan: The training plan.
        ensemble: Whether outputs have an axis of members.
    """

    def __init__(self, spec: DataSpec, plan: TrainPlan, *, ensemble: bool) -> None:
        super().__init__()
        self.criterion, self.ensemble = task_of(spec).criterion(spec, plan), ensemble

    def forward(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The mean loss of one batch, a scalar.

        Args:
            outputs: [N, K], or [N, members, K] for an ensemble.
            batch: The rows that the outputs belong to.
        """
        loss = self._loss_for(outputs, batch.targets, batch.weights)
        if batch.other is None:
            return loss
        return batch.share * loss + (1 - batch.share) * self._loss_for(outputs, batch.other, batch.weights)

    def _loss_for(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        if self.ensemble:
            members = outputs.shape[1]
            targets = targets.repeat_interleave(members, 0)
            weights = None if weights is None else weights.repeat_interleave(members, 0)
            outputs = outputs.flatten(0, 1)
        loss: Tensor = self.criterion(outputs, targets) if weights is None else self.criterion(outputs, targets, weights)
        return loss
