"""Networks with computed weights, and with unusual batch norms."""

# ruff: noqa: N812  # networks in typical user style, in cases that may ignore their folder
# Type checkers cannot follow user-style networks with patches and hooks.
# mypy: ignore-errors

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize

from .networks import COMPUTED, NORMS, Frozen, convolutions, network, with_layer


class Live(nn.BatchNorm2d):
    """Stays in training mode."""

    def train(self, mode: bool = True) -> Live:  # noqa: FBT001, FBT002  # torch's signature
        del mode
        super().train(mode=True)
        return self


class Symmetric(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).transpose(-1, -2)


class Positive(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight.exp()


def _parametrized(layer: nn.Module, parametrization: nn.Module) -> nn.Module:
    parametrize.register_parametrization(layer, "weight", parametrization)
    return layer


@network(COMPUTED, "the old weight_norm")
def _weight_norm() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return convolutions(nn.BatchNorm2d(16), between=nn.utils.weight_norm(nn.Conv2d(16, 16, 3)))


network(COMPUTED, "the new weight_norm")(
    lambda: convolutions(nn.BatchNorm2d(16), between=parametrizations.weight_norm(nn.Conv2d(16, 16, 3)))
)
network(COMPUTED, "the old spectral_norm")(
    lambda: convolutions(nn.BatchNorm2d(16), between=nn.utils.spectral_norm(nn.Conv2d(16, 16, 3)))
)
network(COMPUTED, "the new spectral_norm", slow=True)(
    lambda: convolutions(nn.BatchNorm2d(16), between=parametrizations.spectral_norm(nn.Conv2d(16, 16, 3)))
)
network(COMPUTED, "a symmetric matrix")(
    lambda: nn.Sequential(nn.Flatten(), _parametrized(nn.Linear(64, 64), Symmetric()), nn.ReLU(), nn.Linear(64, 4))
)
network(COMPUTED, "a batch norm with positive scales")(with_layer(lambda: _parametrized(nn.BatchNorm2d(16), Positive())))


class ByFunction(nn.Module):
    """Batch norm with custom buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.leave = nn.Conv2d(1, 16, 3), nn.Linear(16, 4)
        self.register_buffer("mean", torch.randn(16))
        self.register_buffer("variance", torch.rand(16) + 0.5)

    def forward(self, rows: Tensor) -> Tensor:
        rows = F.batch_norm(self.enter(rows), self.mean, self.variance, eps=1e-3)  # type: ignore[arg-type]  # buffers
        return self.leave(rows.relu().mean((2, 3)))


network(NORMS, "as a function")(ByFunction)
network(NORMS, "without scales, and an even average")(
    with_layer(lambda: nn.Sequential(nn.BatchNorm2d(16, affine=False), nn.BatchNorm2d(16, momentum=None)))
)
network(NORMS, "synchronised")(with_layer(lambda: nn.SyncBatchNorm(16)))
network(NORMS, "frozen")(with_layer(lambda: Frozen(16)))
network(NORMS, "without running statistics", refused="'1' uses the statistics of each call's rows")(
    with_layer(lambda: nn.BatchNorm2d(16, track_running_stats=False))
)
network(NORMS, "deliberately in training mode", refused="'1' uses the statistics of each call's rows")(
    with_layer(lambda: Live(16))
)
