"""The importance of channels: criteria by name, for LeptonNets and any other network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lepton_automl.errors import ConfigError, one_of

from .group import Group, Member

Criterion = Callable[[Group], Tensor]  # one score a channel, [width]
Worth = Callable[[nn.Parameter], Tensor]  # what each weight is worth, shaped as the weights
Sensitivity = Mapping[str, Tensor]  # by the weights' names: mean |weight x gradient| over calibration batches

CRITERIA = ("l1", "l2", "magnitude", "bn_scale", "taylor", "random")


def criterion_of(name: str, model: nn.Module, *, sensitivity: Sensitivity | None = None, seed: int = 0) -> Criterion:
    """A criterion by its name.

    * `"l1"`, `"l2"`: the absolute or squared size of all weights that leave with a channel (Li et al., Pruning Filters for
      Efficient ConvNets, ICLR 2017; over the whole group, Fang et al., DepGraph, CVPR 2023). `"magnitude"` is `"l2"`.
    * `"bn_scale"`: the scale of the batch normalisations (Liu et al., Network Slimming, ICCV 2017); `"l1"` where there are none.
    * `"taylor"`: the change of the loss to first order, |weight x gradient| over calibration batches (Molchanov et al.,
      Importance Estimation for Neural Network Pruning, CVPR 2019).
    * `"random"`: a baseline that uses no information.

    Args:
        name: One of `CRITERIA`.
        model: The network that the groups are of.
        sensitivity: What Taylor needs, by the names of the network's weights.
        seed: Of the random control.

    Raises:
        ConfigError: There is none of that name, or Taylor has no sensitivity.
    """
    if name not in CRITERIA:
        raise ConfigError(f"there is no criterion {name!r}", where="criterion", fix=one_of(name, CRITERIA))
    if name == "random":
        chance = torch.Generator().manual_seed(seed)
        return lambda group: torch.rand(group.width, generator=chance, dtype=torch.float64)
    if name == "bn_scale":
        return lambda group: score(group, Tensor.abs, _scales(group))
    if name == "taylor":
        if not sensitivity:
            fix = "Pass the weights' sensitivity, computed on labelled rows."
            raise ConfigError("the criterion 'taylor' has no gradients to use", where="criterion", fix=fix)
        known = {id(weight): sensitivity[name] for name, weight in model.named_parameters() if name in sensitivity}
        return lambda group: score(group, lambda weight: known.get(id(weight), torch.zeros_like(weight)))
    return lambda group: score(group, Tensor.abs if name == "l1" else Tensor.square)


def score(group: Group, worth: Worth, members: tuple[Member, ...] | None = None) -> Tensor:
    """Mean importance of a channel's weights over the group's layers, each layer's channels averaging 1.

    A channel counts all weights that are removed with it. Weights whose scale the batch normalisation behind them undoes are
    left out: their size means nothing, that of the normalisation does.

    Args:
        group: The layers that share a width.
        worth: What each weight is worth.
        members: Those of its layers that count; all if not said.

    Returns:
        One score a channel, [width]; zeros where no layer has weights that count.
    """
    scored = [member for member in members or group.members if not member.scale_free]
    with torch.no_grad():
        sums = [member.sums(worth(member.weight), group.width) for member in scored if member.weight is not None]
    each = [layer_worth / layer_worth.mean().clamp(min=1e-30) for layer_worth in sums]
    return torch.stack(each).mean(0) if each else torch.zeros(group.width, dtype=torch.float64)


def _scales(group: Group) -> tuple[Member, ...]:
    return tuple(member for member in group.members if isinstance(member.layer, _BatchNorm)) or group.members


def most_important(scores: Tensor, count: int) -> list[int]:
    """The indices of the `count` greatest scores, in order; of equals, the first."""
    return sorted(scores.argsort(descending=True, stable=True)[:count].tolist())
