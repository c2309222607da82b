"""Detect diverged training early."""

from __future__ import annotations

import math

from lepton_automl.errors import LeptonError
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

MAX_LOSS_RATIO = 100.0  # times the loss of an untrained network; one that learns stays below 2


class Diverged(LeptonError, RuntimeError):  # noqa: N818  # named after what happened
    """The loss is not finite, or has exploded."""


def check_divergence(loss: float, norm: float, *, spec: DataSpec, plan: TrainPlan, place: str) -> None:
    """Check that training has not diverged.

    Args:
        loss: Mean loss of the epoch's steps so far.
        norm: Norm of the last step's gradient; a gradient that is not finite corrupts the weights before the loss shows it.
        spec: The task, which defines the loss of an untrained network.
        plan: The training plan, for the suggested fix.
        place: Epoch and step, for the message.

    Raises:
        Diverged: Training has diverged.
    """
    untrained_loss = task_of(spec).untrained_loss(spec.output)
    if math.isfinite(loss) and math.isfinite(norm) and loss <= MAX_LOSS_RATIO * untrained_loss:
        return
    raise Diverged(
        f"training diverged: the loss is {loss:.4g} and the gradient's norm {norm:.4g}; an untrained network has a loss of {untrained_loss:.3g}",
        where=place,
        fix=f"Lower train.lr (it is {plan.lr:g}), raise warmup (it is {plan.warmup:g}), or look for values in the data that are not finite or very large.",
    )
