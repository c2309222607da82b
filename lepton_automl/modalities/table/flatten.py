"""Run a table network in fewer, larger operations: a call of one row spends its time on their overhead, not on arithmetic."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lepton_automl.models.layers import GroupedLinear

from .embeddings import Numbers, Periodic, Piecewise
from .network import Members, TableNet

MOST = 26_000  # multiply-accumulates of the merged layers, up to which merging makes both 64 rows and one row faster


class FlatNumbers(nn.Module):
    """`Numbers` with one linear layer over all columns instead of one per column: [N, F] to [N, size].

    The weights between different columns are zero, so the outputs are the same.

    Args:
        numbers: The original; it has an embedding.
    """

    def __init__(self, numbers: Numbers) -> None:
        super().__init__()
        embedding = numbers.embedding
        assert isinstance(embedding, Periodic | Piecewise)
        self.periodic = isinstance(embedding, Periodic)
        self.features, self.rest, self.size = numbers.features, numbers.rest, numbers.size
        factor, shift = _waves(embedding) if isinstance(embedding, Periodic) else _bins(embedding, numbers.features)
        self.spread = _dense(factor.unsqueeze(1), shift, self.features + self.rest)
        self.mix = _dense_mix(embedding.mix)

    def forward(self, numeric: Tensor) -> Tensor:
        """[N, F] to [N, size]; with a periodic embedding the plain numbers come first, see `order`."""
        spread = self.spread(numeric)
        mixed: Tensor = self.mix(torch.cos(spread) if self.periodic else spread.clamp(0.0, 1.0))
        if self.periodic:
            return torch.cat([numeric, mixed], 1)
        return torch.cat([mixed, numeric[:, self.features :]], 1) if self.rest else mixed

    @property
    def order(self) -> Tensor:
        """The index of each output among the outputs of `Numbers`, [size]."""
        if not self.periodic:
            return torch.arange(self.size)
        each = (self.size - self.rest) // self.features
        places = torch.arange(self.features * each).reshape(self.features, each)
        rest = torch.arange(self.features * each, self.size)
        return torch.cat([places[:, 0], rest, places[:, 1:].flatten()])


def flatten(net: TableNet) -> None:
    """Merge the embedding's layers where that is faster, in place; the network's outputs stay the same.

    Args:
        net: A network that will not be trained or pruned any more.
    """
    numbers = net.numbers
    if not isinstance(numbers, Numbers) or numbers.embedding is None or _macs(numbers) > MOST:
        return
    flat = FlatNumbers(numbers)
    with torch.no_grad():
        for weight, axis in _input_weights(net):
            others = torch.arange(numbers.size, weight.shape[axis])
            weight.copy_(weight.index_select(axis, torch.cat([flat.order, others])))
    net.numbers = flat


def _input_weights(net: TableNet) -> list[tuple[Tensor, int]]:
    """The weights that are applied to the embedded row, and their input axes: the members' scales, and the first layer."""
    first = next(layer for layer in [*net.trunk.modules(), net.head] if isinstance(layer, nn.Linear | GroupedLinear))
    members: list[tuple[Tensor, int]] = [(net.members.weight, 1)] if isinstance(net.members, Members) else []
    return [*members, (first.weight, 1)]


def _macs(numbers: Numbers) -> int:
    embedding, grouped = numbers.embedding, _grouped(numbers)
    assert isinstance(embedding, Periodic | Piecewise)
    bins = embedding.frequency.shape[1] if isinstance(embedding, Periodic) else len(embedding.shift)
    mixed = grouped.groups * grouped.out_features if grouped else 0
    return numbers.features * bins * (numbers.features + numbers.rest + mixed)


def _grouped(numbers: nn.Module) -> GroupedLinear | None:
    return next((layer for layer in numbers.modules() if isinstance(layer, GroupedLinear)), None)


def _waves(embedding: Periodic) -> tuple[Tensor, Tensor]:
    return embedding.frequency, embedding.phase


def _bins(embedding: Piecewise, features: int) -> tuple[Tensor, Tensor]:
    shift = embedding.shift.expand(features, -1)
    return torch.full_like(shift, embedding.steps), shift


def _dense_mix(mix: nn.Module) -> nn.Module:
    grouped = _grouped(mix)
    if grouped is None:
        return mix
    return nn.Sequential(_dense(grouped.weight, grouped.bias, grouped.groups * grouped.in_features), nn.ReLU())


def _dense(weight: Tensor, bias: Tensor, inputs: int) -> nn.Linear:
    """Merge linear layers into one: weights [groups, in, out] become blocks along a diagonal; further inputs have zero weight."""
    layer = nn.Linear(inputs, bias.numel())
    with torch.no_grad():
        layer.weight.zero_()
        block = torch.block_diag(*weight.transpose(1, 2))  # type: ignore[no-untyped-call]  # torch lacks its types
        layer.weight[:, : block.shape[1]] = block
        layer.bias.copy_(bias.flatten())
    return layer
