"""Groups of layers that share a width, so that a channel is removed from all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

ROOTS = (_ConvNd, nn.Linear)  # layers whose outputs are a width


@dataclass(frozen=True, eq=False)
class Member:
    """One side of one layer in a group: its outputs or its inputs (outputs stand for both in depthwise and normalisation layers).

    Args:
        name: The layer's name in the network, or that of a bare parameter.
        layer: The layer or parameter.
        outputs: Whether this is the output side rather than the input side.
        cut: torch-pruning's dependency, which removes entries of this side.
        places: The indices of this side's entries in the group: several per channel if a map was flattened.
        channels: The channel of each entry.
        scale_free: Whether a batch normalisation follows, so that doubling these weights changes nothing.
    """

    name: str
    layer: nn.Module | nn.Parameter
    outputs: bool
    cut: Any
    places: Tensor
    channels: Tensor
    scale_free: bool

    @property
    def weight(self) -> nn.Parameter | None:
        """The layer's weights; None if it has none."""
        weight = self.layer if isinstance(self.layer, nn.Parameter) else getattr(self.layer, "weight", None)
        return weight if isinstance(weight, nn.Parameter) else None

    def sides(self) -> list[Tensor]:
        """Every tensor of the layer that loses entries on this side, as views [parts, entries of a part, ...]."""
        axes = getattr(self.layer, "input_axes", None)
        if axes is not None and not self.outputs:
            return [getattr(self.layer, name).data.movedim(axis, 0)[None] for name, axis in axes.items()]
        sides = [] if self.weight is None else [self.channel_view(self.weight.data)]
        if self.outputs and not isinstance(self.layer, nn.Parameter):
            # The running mean too: otherwise a normalisation would turn a zeroed channel into a non-zero constant.
            ends = [getattr(self.layer, name, None) for name in ("bias", "running_mean")]
            sides += [tensor.data[None] for tensor in ends if isinstance(tensor, Tensor)]
        return sides

    def channel_view(self, tensor: Tensor) -> Tensor:
        """A view [parts, entries of a part, ...] of a tensor shaped like the weights, for this side.

        There is one part, except for the inputs of a grouped convolution.
        """
        layer: Any = self.layer
        if isinstance(layer, nn.Parameter):
            return tensor.movedim(self.cut.target.pruning_dim, 0)[None]
        parts = layer.groups if isinstance(layer, _ConvNd) else 1
        if parts > 1 and not self.outputs and parts < layer.out_channels:
            return tensor.reshape(parts, -1, *tensor.shape[1:]).transpose(1, 2)
        transposed = bool(getattr(layer, "transposed", False))
        axis = int(transposed == self.outputs) if tensor.ndim > 1 and parts == 1 else 0
        axes = getattr(layer, "input_axes", None)
        return tensor.movedim(axes["weight"] if axes and not self.outputs else axis, 0)[None]

    def sums(self, importance: Tensor, width: int) -> Tensor:
        """The summed importance of each channel's weights, [width], from the importance of each weight."""
        view = self.channel_view(importance.double())
        each = view.reshape(view.shape[0] * view.shape[1], -1).sum(1).cpu()
        return torch.zeros(width, dtype=torch.float64).index_add_(0, self.channels, each[self.places])


@dataclass(frozen=True, eq=False)
class Group:
    """All layers that share one width.

    Args:
        width: The number of channels.
        members: The sides of layers that have this width.
        parts: The number of equal parts, which all lose the same channels, as in grouped convolutions and normalisations.
    """

    width: int
    members: tuple[Member, ...]
    parts: int = 1

    @property
    def kind(self) -> tuple[tuple[str, bool], ...]:
        """The structure of a group apart from its width: groups of the same kind are isomorphic."""
        return tuple((type(member.layer).__name__, member.outputs) for member in self.members)

    @property
    def producers(self) -> list[str]:
        """The names of the layers that output these channels."""
        return [member.name for member in self.members if member.outputs and isinstance(member.layer, ROOTS)]

    def spread(self, positions: Iterable[int]) -> list[int]:
        """The channels at some positions of every part."""
        each = self.width // self.parts
        return [part * each + position for part in range(self.parts) for position in positions]


def member_of(graph: Any, item: Any, name: str) -> Member:
    """The member for one entry of a torch-pruning group."""
    layer, dep = item.dep.target.module, item.dep
    outputs = graph.is_out_channel_pruning_fn(dep.handler)
    users = dep.target.outputs
    # True if only batch normalisations read the layer's outputs.
    free = outputs and isinstance(layer, ROOTS) and bool(users) and all(isinstance(node.module, _BatchNorm) for node in users)
    return Member(name, layer, outputs, dep, torch.tensor(item.idxs), torch.tensor(item.root_idxs), free)


Removals = Sequence[tuple[Group, Sequence[int]]]


def remove_channels(model: nn.Module, leaving: Removals) -> None:
    """Remove channels from all members of their groups, weights and statistics alike.

    Each side of a layer is pruned once, however many groups it belongs to: indices are those before any pruning.
    """
    for member, removed in _entries_to_remove(leaving):
        # A bare parameter is replaced; a layer is pruned in place.
        after = member.cut(removed)
        if isinstance(member.layer, nn.Parameter):
            holder, _, name = member.name.rpartition(".")
            setattr(model.get_submodule(holder), name, after)


def zero_channels(leaving: Removals) -> None:
    """Set channels to zero in all members of their groups: a correctly pruned network has the same outputs as this one."""
    for member, removed in _entries_to_remove(leaving):
        places = torch.tensor(removed)
        for side in member.sides():
            each = side.shape[1]
            side[places // each, places % each] = 0


def _entries_to_remove(leaving: Removals) -> list[tuple[Member, list[int]]]:
    """Each side of a layer, and the indices of its entries to remove."""
    entries: dict[tuple[int, bool], tuple[Member, set[int]]] = {}
    for group, channels in leaving:
        mask = torch.zeros(group.width, dtype=torch.bool)
        mask[list(channels)] = True
        for member in group.members:
            places = member.places[mask[member.channels]].tolist()
            entries.setdefault((id(member.layer), member.outputs), (member, set()))[1].update(places)
    return [(member, sorted(places)) for member, places in entries.values() if places]
