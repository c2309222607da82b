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
    """One side of one layer in a group: its outputs or its inputs (a depthwise or normalising layer's outputs are both).

    Args:
        name: The layer's name in the network, or that of a bare parameter.
        layer: The layer or parameter.
        outputs: Which side.
        cut: torch-pruning's dependency, which removes entries of this side.
        places: The entries of this side that the group has: several for one channel where a map was flattened.
        channels: The channel of each.
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
        """The layer's weights; None where it has none."""
        weight = self.layer if isinstance(self.layer, nn.Parameter) else getattr(self.layer, "weight", None)
        return weight if isinstance(weight, nn.Parameter) else None

    def sides(self) -> list[Tensor]:
        """Every tensor of the layer that loses entries on this side, as views [parts, entries of a part, ...]."""
        axes = getattr(self.layer, "input_axes", None)
        if axes is not None and not self.outputs:
            return [getattr(self.layer, name).data.movedim(axis, 0)[None] for name, axis in axes.items()]
        sides = [] if self.weight is None else [self.channel_view(self.weight.data)]
        if self.outputs and not isinstance(self.layer, nn.Parameter):
            # The mean too: a zeroed channel without weights of its own must not leave a normalisation as a constant.
            ends = [getattr(self.layer, name, None) for name in ("bias", "running_mean")]
            sides += [tensor.data[None] for tensor in ends if isinstance(tensor, Tensor)]
        return sides

    def channel_view(self, tensor: Tensor) -> Tensor:
        """A tensor shaped as the weights, as a view [parts, entries of a part, ...] of this side.

        There is one part but for the inputs of a grouped convolution.
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

    def sums(self, worth: Tensor, width: int) -> Tensor:
        """The summed importance of each channel's weights, [width], from the importance of each weight."""
        laid = self.channel_view(worth.double())
        each = laid.reshape(laid.shape[0] * laid.shape[1], -1).sum(1).cpu()
        return torch.zeros(width, dtype=torch.float64).index_add_(0, self.channels, each[self.places])


@dataclass(frozen=True, eq=False)
class Group:
    """All layers that share one width.

    Args:
        width: Its channels.
        members: The sides of layers that have it.
        parts: Parts of equal size that lose the same channels each: those of grouped convolutions and normalisations.
    """

    width: int
    members: tuple[Member, ...]
    parts: int = 1

    @property
    def kind(self) -> tuple[tuple[str, bool], ...]:
        """The structure of a group apart from its width: groups of one kind are isomorphic."""
        return tuple((type(member.layer).__name__, member.outputs) for member in self.members)

    @property
    def producers(self) -> list[str]:
        """The names of the layers whose outputs these channels are."""
        return [member.name for member in self.members if member.outputs and isinstance(member.layer, ROOTS)]

    def spread(self, positions: Iterable[int]) -> list[int]:
        """The channels at some positions of every part."""
        each = self.width // self.parts
        return [part * each + position for part in range(self.parts) for position in positions]


def member_of(graph: Any, item: Any, name: str) -> Member:
    """One entry of a group of torch-pruning's."""
    layer, dep = item.dep.target.module, item.dep
    outputs = graph.is_out_channel_pruning_fn(dep.handler)
    ahead = dep.target.outputs
    # Where only a normalisation reads what a layer gives.
    free = outputs and isinstance(layer, ROOTS) and bool(ahead) and all(isinstance(node.module, _BatchNorm) for node in ahead)
    return Member(name, layer, outputs, dep, torch.tensor(item.idxs), torch.tensor(item.root_idxs), free)


Leaving = Sequence[tuple[Group, Sequence[int]]]


def remove_channels(model: nn.Module, leaving: Leaving) -> None:
    """Remove channels from all members of their groups, weights and statistics alike.

    Each side of a layer is pruned once, however many groups it belongs to: indices are those before any pruning.
    """
    for member, gone in _leaving_entries(leaving):
        # A bare parameter is replaced, a layer cut in place.
        after = member.cut(gone)
        if isinstance(member.layer, nn.Parameter):
            holder, _, name = member.name.rpartition(".")
            setattr(model.get_submodule(holder), name, after)


def zero_channels(leaving: Leaving) -> None:
    """Set channels to zero in all members of their groups instead: a correctly pruned network equals this one."""
    for member, gone in _leaving_entries(leaving):
        places = torch.tensor(gone)
        for side in member.sides():
            each = side.shape[1]
            side[places // each, places % each] = 0


def _leaving_entries(leaving: Leaving) -> list[tuple[Member, list[int]]]:
    """Each side of a layer, and the indices of its entries to remove."""
    entries: dict[tuple[int, bool], tuple[Member, set[int]]] = {}
    for group, channels in leaving:
        leaves = torch.zeros(group.width, dtype=torch.bool)
        leaves[list(channels)] = True
        for member in group.members:
            places = member.places[leaves[member.channels]].tolist()
            entries.setdefault((id(member.layer), member.outputs), (member, set()))[1].update(places)
    return [(member, sorted(places)) for member, places in entries.values() if places]
