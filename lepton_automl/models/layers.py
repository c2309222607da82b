"""Layers that several families share, and the map from layers to the widths of a recipe."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn


class Channels(NamedTuple):
    """The widths of the recipe that set a layer's channel counts; `""` is a size that cannot be pruned."""

    inputs: str
    outputs: str


WidthMap = dict[str, Channels]


def under(prefix: str, width_map: WidthMap) -> WidthMap:
    """Return a width map with `prefix` in front of every layer's name."""
    return {f"{prefix}.{name}": channels for name, channels in width_map.items()}


class GroupedLinear(nn.Module):
    """One linear layer for each of several groups: [N, groups, inputs] to [N, groups, outputs].

    `input_axes` gives, for pruning tools, the axis of each parameter that runs over the inputs.

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


class Dropout(nn.Dropout):
    """Dropout that draws its mask four times as fast on a CPU: from 16 random bits an element, four elements a draw.

    The rate is exact to 1/65,536.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """The inputs with some elements set to zero and the others scaled, while training."""
        if not self.training or not 0 < self.p < 1 or inputs.device.type != "cpu":
            return super().forward(inputs)
        bits = torch.empty(-(-inputs.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        kept = bits.view(torch.int16)[: inputs.numel()] >= round(self.p * 2**16) - 2**15
        return inputs * kept.view(inputs.shape).to(inputs.dtype).mul_(1 / (1 - self.p))
