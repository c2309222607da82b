"""Layers that both families share, and how a layer says which widths of the recipe it has."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn


class Channels(NamedTuple):
    """Which widths of the recipe a layer's channels are; `""` is a size that cannot be cut."""

    inputs: str
    outputs: str


WidthMap = dict[str, Channels]


def under(prefix: str, width_map: WidthMap) -> WidthMap:
    """The same layers, seen from the module that holds them as `prefix`."""
    return {f"{prefix}.{name}": channels for name, channels in width_map.items()}


class GroupedLinear(nn.Module):
    """One linear layer for each of several groups: [N, groups, inputs] to [N, groups, outputs].

    `input_axes` tells a tool that cuts channels along which axis of which parameter the inputs lie.

    Args:
        groups: How many layers.
        in_features: Inputs of each.
        out_features: Outputs of each.
    """

    input_axes: ClassVar[dict[str, int]] = {"weight": 1}

    def __init__(self, groups: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.groups, self.in_features, self.out_features = groups, in_features, out_features
        self.weight = nn.Parameter(torch.empty(groups, in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(groups, out_features))
        bound = 1 / math.sqrt(in_features)
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, rows: Tensor) -> Tensor:
        """[N, groups, inputs] to [N, groups, outputs]; one batched product over the groups."""
        return torch.matmul(rows.transpose(0, 1), self.weight).transpose(0, 1) + self.bias
