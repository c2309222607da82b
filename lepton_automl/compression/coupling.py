"""Find the layers of a RecipeNet that share a width, by tracing the computation with torch-pruning.

The dependency graph is that of Fang et al., DepGraph: Towards Any Structural Pruning, CVPR 2023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch_pruning
from torch import Tensor, nn

from lepton_automl.errors import ConfigError
from lepton_automl.recipe import Widths

from .group import Group, Member, member_of

WidthMap = Mapping[str, tuple[str, str]]


def find_groups(model: nn.Module, width_map: WidthMap, widths: Widths, inputs: dict[str, Tensor]) -> dict[str, Group]:
    """The groups of some widths of a network.

    Args:
        model: The network; left in evaluation mode. Gradients must be enabled: the trace reads autograd's graph.
        width_map: Each layer's input and output width, by the layer's name.
        widths: The current size of each width to find.
        inputs: A few rows for tracing.

    Raises:
        ConfigError: The traced groups are not those of the width map, so pruning would silently be wrong.
    """
    graph = torch_pruning.DependencyGraph().build_dependency(
        model, example_inputs=inputs, customized_pruners=_custom_pruners(model), verbose=False
    )
    return {path: _group(graph, model, width_map, path, width) for path, width in widths.items()}


def _group(graph: Any, model: nn.Module, width_map: WidthMap, path: str, width: int) -> Group:
    root = model.get_submodule(next(name for name, (_, outputs) in width_map.items() if outputs == path))
    group = graph.get_pruning_group(root, graph.get_pruner_of_module(root).prune_out_channels, list(range(width)))
    names = {module: name for name, module in model.named_modules()}
    members: dict[tuple[str, bool], Member] = {}
    for item in group:
        layer = item.dep.target.module
        if layer in names:
            member = member_of(graph, item, names[layer])
            if sorted(item.idxs) != list(range(len(item.idxs))) or len(item.idxs) % width:
                raise _disagreement(path, f"{member.name} shares only a part of this width")
            members[member.name, member.outputs] = member
    _check(path, set(members), width_map, model)
    return Group(width, tuple(members.values()))


def _check(path: str, names: set[tuple[str, bool]], width_map: WidthMap, model: nn.Module) -> None:
    """The trace must find exactly the layers that the width map lists for this width."""
    expected = {(name, True) for name, (_, outputs) in width_map.items() if outputs == path}
    # In a layer that maps each input channel to one output channel, pruning the outputs also prunes the inputs.
    expected |= {
        (name, False) for name, (incoming, _) in width_map.items() if incoming == path and not _one_to_one(model, name)
    }
    if names != expected:
        raise _disagreement(path, f"only one of them lists {sorted(names ^ expected)}")


def _one_to_one(model: nn.Module, name: str) -> bool:
    layer = model.get_submodule(name)
    depthwise = isinstance(layer, nn.Conv2d) and layer.groups > 1
    return depthwise or isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm)


def _disagreement(path: str, what: str) -> ConfigError:
    return ConfigError(
        f"the traced network and its width map disagree about {path!r}: {what}",
        where="shrink",
        fix="Correct the network's width_map; nothing was pruned.",
    )


class _InputPruner(torch_pruning.BasePruningFunc):  # type: ignore[misc]  # torch-pruning has no types
    """Prunes the inputs of a layer along the axes in its `input_axes`."""

    TARGET_MODULES = nn.Module

    def prune_in_channels(self, layer: Any, idxs: Sequence[int]) -> Any:
        kept = torch.tensor(sorted(set(range(layer.in_features)) - set(idxs)))
        for name, axis in layer.input_axes.items():
            weight = getattr(layer, name).detach()
            setattr(layer, name, nn.Parameter(weight.index_select(axis, kept.to(weight.device))))
        layer.in_features = len(kept)
        return layer

    def prune_out_channels(self, layer: Any, idxs: Sequence[int]) -> Any:
        raise NotImplementedError(f"the outputs of {type(layer).__name__} have no width")

    def get_in_channels(self, layer: Any) -> int:
        return int(layer.in_features)

    def get_out_channels(self, layer: Any) -> int:
        return int(layer.out_features)


def _custom_pruners(model: nn.Module) -> dict[type[nn.Module], Any]:
    return {type(module): _InputPruner() for module in model.modules() if hasattr(module, "input_axes")}
