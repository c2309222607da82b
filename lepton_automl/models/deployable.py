"""A network that gives the answer itself."""

from __future__ import annotations

import copy

from lepton_automl.values import DataSpec

from .answers import Answer
from .build import LeptonNet


def deployable(model: LeptonNet, spec: DataSpec) -> LeptonNet:
    """A copy in evaluation mode whose `forward` gives probabilities [N, classes], or values [N] in the target's own unit.

    Args:
        model: A trained network; it is left as it is.
        spec: Knows the mean and scale of a regression target.
    """
    copied = copy.deepcopy(model).eval()
    members = getattr(copied.recipe, "heads", 1) > 1
    copied.finish = Answer(copied.recipe.outputs, members=members, mean=spec.target_mean, scale=spec.target_scale)
    return copied
