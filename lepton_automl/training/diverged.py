"""Training that went wrong, said while there is still time to save."""

from __future__ import annotations

import math

from lepton_automl.errors import LeptonError
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

MAX_LOSS_RATIO = 100.0  # times the loss of knowing nothing; a network that learns anything stays below 2


class Diverged(LeptonError, RuntimeError):  # noqa: N818  # it reads as what happened
    """The loss is not a number any more, or has run away."""


def check_divergence(loss: float, norm: float, *, spec: DataSpec, plan: TrainPlan, where: str) -> None:
    """See that training is still sane.

    Args:
        loss: Mean loss of the epoch's steps so far; one that is not finite spoils all after it.
        norm: Norm of the last step's gradient; it spoils the weights before any loss shows it.
        spec: The task, which tells the loss of a network that knows nothing.
        plan: For the advice.
        where: Epoch and step, for people.

    Raises:
        Diverged: It is not.
    """
    knows_nothing = task_of(spec).ignorant_loss(spec.output)
    if math.isfinite(loss) and math.isfinite(norm) and loss <= MAX_LOSS_RATIO * knows_nothing:
        return
    raise Diverged(
        f"training diverged: the loss is {loss:.4g} and the gradient's norm {norm:.4g}; knowing nothing gives a loss of {knows_nothing:.3g}",
        where=where,
        fix=f"Lower train.lr (it is {plan.lr:g}), raise warmup (it is {plan.warmup:g}), or look for values in the data that are not finite or very large.",
    )
