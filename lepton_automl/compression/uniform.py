"""Prune any network uniformly: the same share of the channels is removed from every layer that the trace supports.

The dependency graph is that of Fang et al., DepGraph: Towards Any Structural Pruning, CVPR 2023. Without the width map
of a RecipeNet, widths are inferred, so the pruned network is run on a few rows before it is returned.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from lepton_automl.errors import ConfigError, in_one_line
from lepton_automl.recipe import narrowed

from .anynet import groups_of, trace
from .copies import deep_copy
from .group import Group, Removals, remove_channels
from .importance import score

Network = TypeVar("Network", bound=nn.Module)


def prune_uniformly(model: Network, ratio: float, sample: Tensor, *, multiple: int = 8) -> Network:
    """A copy of any network without the least important channels of each layer.

    The number of removed channels depends only on the layers' widths, never on the weights, so that a rebuilt network can be
    pruned to the same shape. Layers that compute the outputs, grouped convolutions, attention and bare parameters keep all
    channels.

    Args:
        model: Called as `model(rows)`. It is left unchanged.
        ratio: Share of the channels to remove, from 0 to below 1.
        sample: A few rows as `forward` takes them; [N, ...].
        multiple: Widths are rounded to multiples of this, as those of RecipeNets are.

    Returns:
        The smaller network, on the same device and in the same mode; of the same size if the ratio is less than one step of every
        width.

    Raises:
        ConfigError: The graph cannot be traced, nothing in it can be pruned, or the pruned network does not run.
    """
    try:
        with torch.inference_mode(mode=False), torch.enable_grad():
            return _cut(deep_copy(model), ratio, sample.detach().clone()[:2], multiple)
    except ConfigError:
        raise
    except Exception as error:  # torch-pruning's exceptions have no common base
        raise _cannot_prune(in_one_line(error)) from error


def _cut(model: Network, ratio: float, rows: Tensor, multiple: int) -> Network:
    training = [(module, module.training) for module in model.modules()]
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    model.eval().requires_grad_(requires_grad=True)  # the trace reads autograd's graph
    before = model(rows).shape
    graph = trace(model, rows)
    groups = _prunable_groups(graph)
    if not groups:
        raise _cannot_prune("the graph shows no layer that could lose a channel")
    if leaving := _removals(groups, ratio, multiple):  # a small ratio may be less than one step of every width
        remove_channels(model, leaving)
    with torch.no_grad():
        after = model(rows).shape
    if after != before:
        raise _cannot_prune(f"its outputs would change their shape from {tuple(before)} to {tuple(after)}")
    for module, mode in training:
        module.training = mode
    for name, weight in model.named_parameters():
        weight.requires_grad_(name not in frozen)
        weight.grad = None
    return model


def _prunable_groups(graph: Any) -> list[Group]:
    """The groups of layers that can lose channels."""
    return [
        group
        for group, reason in groups_of(graph)
        if not (reason or group.parts > 1 or any(isinstance(member.layer, nn.Parameter) for member in group.members))
    ]


def _removals(groups: list[Group], ratio: float, multiple: int) -> Removals:
    """The channels to remove from each group of layers."""
    leaving = []
    for group in groups:
        kept = narrowed(group.width, 1 - ratio, multiple)
        leave = score(group, Tensor.square).argsort(stable=True)[: group.width - kept].tolist()
        leaving += [(group, sorted(leave))] if leave else []
    return leaving


def _cannot_prune(why: str) -> ConfigError:
    return ConfigError(
        f"this network cannot be pruned: {why}",
        where="prune.ratio",
        fix="Leave prune.ratio out of the space, or write forward() with layers and sizes taken from its tensors.",
    )
