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
    """

    @property
    def inputs(self) -> dict[str, Tensor]: ...  # noqa: D102  # documented above
    @property
    def targets(self) -> Tensor: ...  # noqa: D102  # documented above
    @property
    def other(self) -> Tensor | None: ...  # noqa: D102  # documented above
    @property
    def share(self) -> float: ...  # noqa: D102  # documented above


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
        loss = self._loss_for(outputs, batch.targets)
        if batch.other is None:
            return loss
        return batch.share * loss + (1 - batch.share) * self._loss_for(outputs, batch.other)

    def _loss_for(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self.ensemble:
            targets = targets.repeat_interleave(outputs.shape[1], 0)
            outputs = outputs.flatten(0, 1)
        loss: Tensor = self.criterion(outputs, targets)
        return loss
