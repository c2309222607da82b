"""The importance of channels: criteria by name, for RecipeNets and any other network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lepton_automl.errors import ConfigError, one_of

from .group import Group, Member

Criterion = Callable[[Group], Tensor]  # one score per channel, [width]
Worth = Callable[[nn.Parameter], Tensor]  # the importance of each weight, shaped as the weights
Sensitivity = Mapping[str, Tensor]  # by the weights' names: mean |weight x gradient| over calibration batches

CRITERIA = ("l1", "l2", "magnitude", "bn_scale", "taylor", "random")


def criterion_of(name: str, model: nn.Module, *, sensitivity: Sensitivity | None = None, seed: int = 0) -> Criterion:
    """A criterion by its name.

    * `"l1"`, `"l2"`: the absolute or squared size of all weights that are removed with a channel (Li et al., Pruning Filters for
      Efficient ConvNets, ICLR 2017; over the whole group, Fang et al., DepGraph, CVPR 2023). `"magnitude"` is `"l2"`.
    * `"bn_scale"`: the scale of the batch normalisations (Liu et al., Network Slimming, ICCV 2017); `"l1"` if there are none.
    * `"taylor"`: the change of the loss to first order, |weight x gradient| over calibration batches (Molchanov et al.,
      Importance Estimation for Neural Network Pruning, CVPR 2019).
    * `"random"`: a baseline that uses no information.

    Args:
        name: One of `CRITERIA`.
        model: The network that the groups belong to.
        sensitivity: The sensitivity of each weight, by its name; required by `"taylor"`.
        seed: Seed of the random criterion.

    Raises:
        ConfigError: There is no criterion of that name, or `"taylor"` has no sensitivity.
    """
    if name not in CRITERIA:
        raise ConfigError(f"there is no criterion {name!r}", where="criterion", fix=one_of(name, CRITERIA))
    if name == "random":
        generator = torch.Generator().manual_seed(seed)
        return lambda group: torch.rand(group.width, generator=generator, dtype=torch.float64)
    if name == "bn_scale":
        return lambda group: score(group, Tensor.abs, _scales(group))
    if name == "taylor":
        if not sensitivity:
            fix = "Pass the weights' sensitivity, computed on labelled rows."
            raise ConfigError("the criterion 'taylor' has no gradients to use", where="criterion", fix=fix)
        by_id = {id(weight): sensitivity[name] for name, weight in model.named_parameters() if name in sensitivity}
        return lambda group: score(group, lambda weight: by_id.get(id(weight), torch.zeros_like(weight)))
    return lambda group: score(group, Tensor.abs if name == "l1" else Tensor.square)


def score(group: Group, worth: Worth, members: tuple[Member, ...] | None = None) -> Tensor:
    """Mean importance of a channel's weights over the group's layers, each layer scaled so that its channels average 1.

    All weights that are removed with a channel count. Weights whose scale is cancelled by a following batch normalisation are
    left out: their size carries no information, while the scale of the normalisation does.

    Args:
        group: The layers that share a width.
        worth: The importance of each weight.
        members: The members to count; all by default.

    Returns:
        One score per channel, [width]; zeros if no layer has weights that count.
    """
    scored = [member for member in members or group.members if not member.scale_free]
    with torch.no_grad():
        sums = [member.sums(worth(member.weight), group.width) for member in scored if member.weight is not None]
    each = [layer_worth / layer_worth.mean().clamp(min=1e-30) for layer_worth in sums]
    return torch.stack(each).mean(0) if each else torch.zeros(group.width, dtype=torch.float64)


def _scales(group: Group) -> tuple[Member, ...]:
    return tuple(member for member in group.members if isinstance(member.layer, _BatchNorm)) or group.members


def most_important(scores: Tensor, count: int) -> list[int]:
    """The indices of the `count` highest scores, in ascending order; the first of equal scores."""
    return sorted(scores.argsort(descending=True, stable=True)[:count].tolist())
