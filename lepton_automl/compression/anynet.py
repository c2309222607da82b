"""Find the groups of layers that share a width in any network, and which of them cannot be pruned.

The dependency graph is that of Fang et al., DepGraph: Towards Any Structural Pruning, CVPR 2023, as torch-pruning traces it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import torch_pruning
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils import parametrize

from .group import ROOTS, Group, Member, member_of
from .opaque import NEVER_PRUNED, custom_pruners, opaque_layers
from .reparam import depthwise_kernels


def trace(model: nn.Module, rows: Tensor) -> Any:
    """torch-pruning's graph of a network. Gradients must be enabled: the trace reads autograd's graph."""
    with warnings.catch_warnings(), opaque_layers(model):
        warnings.simplefilter("ignore")  # its warnings about bare parameters
        return torch_pruning.DependencyGraph().build_dependency(
            model,
            example_inputs=(rows,),
            unwrapped_parameters=depthwise_kernels(model),
            customized_pruners=custom_pruners(model),
            verbose=False,
        )


def groups_of(graph: Any) -> Iterator[tuple[Group, str]]:
    """Each group of layers that share a width, and why it cannot be pruned; an empty reason means that it may be tried.

    Layers that compute the network's outputs keep all channels, and are in no group.
    """
    shared = _shared_weights(graph.model)
    names = {module: name for name, module in graph.model.named_modules()} | dict(graph._param_to_name)  # noqa: SLF001  # it has no public name for them
    for pruning_items in graph.get_all_groups(ignored_layers=_heads(graph), root_module_types=ROOTS):
        items = [
            item for item in pruning_items if item.dep.target.module in names and not _shared_by_all(item.dep.target.module)
        ]
        traced = [item for item in items if None not in item.root_idxs]
        members = tuple(member_of(graph, item, names[item.dep.target.module]) for item in traced)
        group = Group(len(pruning_items[0].idxs), members, math.lcm(*map(_parts, members)))
        untraced = next((names[item.dep.target.module] for item in items if None in item.root_idxs), "")
        yield group, f"the trace cannot distinguish its channels at {untraced!r}" if untraced else _reason(graph, group, shared)


def _shared_weights(model: nn.Module) -> dict[int, str]:
    """The names of the layers that share a weight, by the `id` of the weight."""
    owners: dict[int, list[str]] = {}
    for name, weight in model.named_parameters(remove_duplicate=False):
        owners.setdefault(id(weight), []).append(repr(name.rpartition(".")[0]))
    return {weight: " and ".join(names) for weight, names in owners.items() if len(names) > 1}


def _reason(graph: Any, group: Group, shared: dict[int, str]) -> str:
    """Why a group cannot be pruned, as far as can be checked without trying."""
    for member in group.members:
        if id(member.weight) in shared:
            return f"{shared[id(member.weight)]} share one weight"
        if why := _special_weights(member.layer):
            return f"{member.name!r} {why}"
        for kind, why in NEVER_PRUNED.items():
            if isinstance(member.layer, kind):
                return f"{member.name!r} shares this width: {why}"
        if isinstance(member.layer, _ConvTransposeNd) and 1 < member.layer.groups < member.layer.out_channels:
            return f"{member.name!r} is a grouped transposed convolution"
        if _is_misread(graph, member):
            return f"the trace does not support how its channels are reshaped for {member.name!r}"
        if _parts(member) > 1 and member.places.tolist() != member.channels.tolist():
            return f"only a part of the groups of {member.name!r} shares this width"
        if group.width == 1 and member.outputs and isinstance(member.layer, ROOTS) and graph.get_out_channels(member.layer) > 1:
            return f"a layer with one channel is broadcast over all channels of {member.name!r}"
    if group.width == group.parts > 1:
        return "every channel is a group of its own"
    return ""


def _special_weights(layer: nn.Module | nn.Parameter) -> str:
    """Why pruning a layer's weights could not be verified; empty for most layers."""
    if isinstance(layer, nn.Parameter):
        return ""
    if parametrize.is_parametrized(layer):
        return (
            "has weights that are computed from others (a parametrization; remove_parametrizations() makes them plain weights)"
        )
    if any(isinstance(value, Tensor) for value in layer.__dict__.values()):
        return (
            "has weights that a hook computes (as weight_norm does; remove_weight_norm() and the like make them plain weights)"
        )
    if isinstance(layer, nn.LayerNorm | nn.GroupNorm | nn.RMSNorm) and not _plain(layer):
        return f"is a {type(layer).__name__} that does more than torch's own normalisation"
    return ""


def _plain(layer: nn.Module) -> bool:
    """Whether a layer does what its class in torch does, and nothing else."""
    own = type(layer).__module__.startswith("torch.nn.") and "forward" not in layer.__dict__
    return own and not layer._forward_hooks and not layer._forward_pre_hooks  # noqa: SLF001  # there is no public accessor


def unpruned_layers(model: nn.Module) -> list[str]:
    """Layers that are never pruned, each with the reason."""
    return [
        f"{name or 'it'!r} is a {type(layer).__name__}: {why}"
        for name, layer in model.named_modules()
        for kind, why in NEVER_PRUNED.items()
        if isinstance(layer, kind)
    ]


def _shared_by_all(layer: object) -> bool:
    """Whether a layer has one weight for all channels; it is never removed."""
    return isinstance(layer, nn.PReLU) and layer.num_parameters == 1


def _parts(member: Member) -> int:
    """The number of equal parts that a layer divides its channels into."""
    layer = member.layer
    if isinstance(layer, nn.GroupNorm):
        return layer.num_groups
    if isinstance(layer, _ConvNd) and 1 < layer.groups < layer.out_channels:
        return layer.groups
    return 1


def _heads(graph: Any) -> list[nn.Module]:
    """The layers that compute the network's outputs: the last convolution or linear layer on each path to them."""
    heads: list[nn.Module] = []
    stack = [node for node in graph.module2node.values() if not node.outputs]
    visited: set[int] = set()
    while stack:
        node = stack.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node.module, ROOTS):
            heads.append(node.module)
        else:
            stack.extend(node.inputs)
    return heads


def _is_misread(graph: Any, member: Member) -> bool:
    """Whether an unsupported reshape made the trace refer to channels that a layer does not have."""
    if not isinstance(member.layer, ROOTS):
        return False
    width = (graph.get_out_channels if member.outputs else graph.get_in_channels)(member.layer)
    return bool(len(member.places)) and int(member.places.max()) >= width
