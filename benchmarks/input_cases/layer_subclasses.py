"""Subclasses of layers that compute more than their base class."""

# ruff: noqa: N812  # networks in typical user style, in cases that may ignore their folder
# Type checkers cannot follow user-style networks with patches and hooks.
# mypy: ignore-errors

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from .networks import SUBCLASS, BNAct, layers, network, with_layer


class BatchNormAct2d(nn.BatchNorm2d):
    """As in timm: a functional call, with activation and dropout as submodules."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.drop, self.act = nn.Identity(), nn.SiLU()

    def forward(self, rows: Tensor) -> Tensor:
        average = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        statistics = self.training or (self.running_mean is None and self.running_var is None)
        by_batch = not self.training or self.track_running_stats
        features = F.batch_norm(
            rows,
            self.running_mean if by_batch else None,
            self.running_var if by_batch else None,
            self.weight,
            self.bias,
            statistics,
            average,
            self.eps,
        )
        return self.act(self.drop(features))


class ScaledLinear(nn.Linear):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows) * 3 - 1


class StandardConv(nn.Conv2d):
    def forward(self, rows: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return self._conv_forward(rows, weight / (weight.std((1, 2, 3), keepdim=True) + 1e-5), self.bias)


class SameConv(nn.Conv2d):
    """Padded as in TensorFlow, depending on the input's size."""

    def forward(self, rows: Tensor) -> Tensor:
        pad = [max((math.ceil(size / 2) - 1) * 2 + 3 - size, 0) for size in rows.shape[-2:]]
        rows = F.pad(rows, [pad[1] // 2, pad[1] - pad[1] // 2, pad[0] // 2, pad[0] - pad[0] // 2])
        return F.conv2d(rows, self.weight, self.bias, 2)


class Shifted(nn.ReLU):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows + 0.5) * 2


class Skip(nn.Sequential):
    def forward(self, rows: Tensor) -> Tensor:
        return rows + super().forward(rows)


class ChannelNorm(nn.LayerNorm):
    """As in ConvNeXt: normalises over the channels of an image."""

    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Called(nn.Conv2d):
    def __call__(self, rows: Tensor) -> Tensor:
        return super().__call__(rows * 2) + 1


class GeM(nn.AdaptiveAvgPool2d):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows.clamp(min=1e-6) ** 3) ** (1 / 3)


network(SUBCLASS, "BNAct: relu after a batch norm")(with_layer(lambda: BNAct(16)))
network(SUBCLASS, "timm's BatchNormAct2d")(with_layer(lambda: BatchNormAct2d(16)))
network(SUBCLASS, "a linear layer that scales and shifts")(lambda: layers(ScaledLinear(64, 32)))
network(SUBCLASS, "a convolution that standardises its weights")(with_layer(lambda: StandardConv(16, 16, 3, padding=1)))
network(SUBCLASS, "a convolution that pads as TensorFlow does", slow=True)(with_layer(lambda: SameConv(16, 16, 3)))
network(SUBCLASS, "a ReLU that shifts and scales")(with_layer(Shifted))
network(SUBCLASS, "a Sequential with a skip")(with_layer(lambda: Skip(nn.Conv2d(16, 16, 3, padding=1), BNAct(16))))
network(SUBCLASS, "a layer norm over channels")(with_layer(lambda: ChannelNorm(16)))
network(SUBCLASS, "a convolution with a custom __call__")(with_layer(lambda: Called(16, 16, 1)))
network(SUBCLASS, "generalised mean pooling")(
    lambda: nn.Sequential(nn.Conv2d(1, 16, 3), GeM(1), nn.Flatten(), nn.Linear(16, 4))
)
