"""A network that gives the answer itself."""

from __future__ import annotations

import copy
from typing import TypeVar

from lepton_automl.specs import DataSpec

from .answers import Answer
from .build import LeptonNet
from .custom import CustomNet
from .flat import flatten
from .table import TableNet

Network = TypeVar("Network", bound=LeptonNet | CustomNet)


def deployable(model: Network, spec: DataSpec) -> Network:
    """A copy in evaluation mode whose `forward` gives probabilities [N, classes], or values [N] in the target's own unit.

    It takes larger steps where these are quicker; see `flat`.

    Args:
        model: A trained network; it is left as it is.
        spec: Knows the mean and scale of a regression target.
    """
    copied = copy.deepcopy(model)
    copied.eval()
    members = getattr(copied.recipe, "heads", 1) > 1
    if isinstance(copied, TableNet):
        flatten(copied)
    copied.finish = Answer(copied.recipe.outputs, members=members, mean=spec.target_mean, scale=spec.target_scale)
    return copied
