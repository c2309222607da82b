"""Ordinary networks in different programming styles."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from .convolutions import BasicBlock, conv_bn, pooled
from .entry import network


class BNAct(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(super().forward(x))


@network("subclass of batch norm with an activation")
def bn_act() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), BNAct(16), nn.Conv2d(16, 32, 3, 2, 1, bias=False), BNAct(32), pooled(32)
    )


class ScaledLinear(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight * 2.0, self.bias)


@network("subclass of a linear layer", "flat")
def scaled_linear() -> nn.Module:
    return nn.Sequential(ScaledLinear(64, 48), nn.ReLU(), ScaledLinear(48, 32), nn.ReLU(), nn.Linear(32, 10))


def _doubled(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output * 2 + 0.1


def _shifted(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (inputs[0] - 0.5,)


@network("forward hook and pre-hook")
def hooked() -> nn.Module:
    norm = nn.BatchNorm2d(16)
    norm.register_forward_hook(_doubled)
    conv = nn.Conv2d(16, 32, 3, 2, 1)
    conv.register_forward_pre_hook(_shifted)
    return nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), norm, nn.ReLU(), conv, nn.ReLU(), pooled(32))


@network("features stored by a hook")
class Caught(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body, self.head = conv_bn(1, 16), conv_bn(16, 32, stride=2), nn.Linear(48, 10)
        self.kept: dict[str, Tensor] = {}
        self.stem.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.kept["stem"] = output

    def forward(self, x: Tensor) -> Tensor:
        last = self.body(self.stem(x))
        stem = self.kept.pop("stem")
        return self.head(torch.cat([stem.mean((2, 3)), last.mean((2, 3))], 1))


@network("functions and bare parameters")
class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w1, self.b1 = nn.Parameter(0.3 * torch.randn(16, 1, 3, 3)), nn.Parameter(torch.zeros(16))
        self.w2, self.b2 = nn.Parameter(0.1 * torch.randn(32, 16, 3, 3)), nn.Parameter(torch.zeros(32))
        self.hidden, self.w3, self.b3 = (
            nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 48)),
            nn.Parameter(0.1 * torch.randn(10, 48)),
            nn.Parameter(torch.zeros(10)),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(functional.conv2d(x, self.w1, self.b1, padding=1))
        x = functional.relu(functional.conv2d(x, self.w2, self.b2, stride=2, padding=1)).mean((2, 3))
        return functional.linear(functional.relu(self.hidden(x)), self.w3, self.b3)


@network("batch norm as a function")
class FunctionalNorm(nn.Module):
    mean: Tensor
    var: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.conv2, self.head = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, 2, 1), pooled(32)
        self.weight, self.bias = nn.Parameter(torch.ones(16)), nn.Parameter(torch.zeros(16))
        self.register_buffer("mean", torch.zeros(16))
        self.register_buffer("var", torch.ones(16))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.batch_norm(self.conv(x), self.mean, self.var, self.weight, self.bias, self.training, 0.1, 1e-5)
        return self.head(functional.relu(self.conv2(functional.relu(x))))


def _softened(self: nn.Module, x: Tensor) -> Tensor:
    return functional.softplus(functional.conv2d(x, self.weight, self.bias, padding=1))  # type: ignore[arg-type]


@network("forward patched on an instance")
def patched() -> nn.Module:
    conv = nn.Conv2d(1, 16, 3, padding=1)
    conv.forward = types.MethodType(_softened, conv)  # type: ignore[method-assign]
    return nn.Sequential(conv, nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), pooled(32))


class Symmetric(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).transpose(-1, -2)


@network("parametrised weight", "flat")
def parametrized() -> nn.Module:
    square = nn.Linear(32, 32)
    parametrize.register_parametrization(square, "weight", Symmetric())
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), square, nn.ReLU(), nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 10))


@network("LightningModule with hyperparameters")
class Lit(pl.LightningModule):
    def __init__(self, width: int = 16, lr: float = 1e-2) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = nn.Sequential(conv_bn(1, width), BasicBlock(width, 2 * width, 2), pooled(2 * width))
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = self.criterion(self(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])


@network("LightningModule, layers of its own", "flat")
class LitMLP(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer_1, self.layer_2, self.layer_3 = nn.Linear(64, 48), nn.Linear(48, 32), nn.Linear(32, 10)
        self.example_input_array = torch.zeros(2, 64)

    def forward(self, x: Tensor) -> Tensor:
        batch_size, *_ = x.size()
        x = x.view(batch_size, -1)
        return functional.log_softmax(self.layer_3(functional.relu(self.layer_2(functional.relu(self.layer_1(x))))), dim=1)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return functional.nll_loss(self(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters())


@network("branches in a ModuleDict")
class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_bn(1, 16)
        self.branches = nn.ModuleDict({"near": nn.Conv2d(16, 16, 3, padding=1), "far": nn.Conv2d(16, 16, 5, padding=2)})
        self.heads = nn.ModuleDict({"main": pooled(32), "auxiliary": pooled(32, 3)})

    def forward(self, x: Tensor, which: str = "main") -> Tensor:
        x = self.stem(x)
        branches_out = {name: functional.relu(branch(x)) for name, branch in self.branches.items()}
        return self.heads[which](torch.cat([branches_out["near"], branches_out["far"]], 1))


@network("inputs normalised in the network, recomputed blocks")
class Recomputed(nn.Module):
    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.3]).view(1, 1, 1, 1))
        self.register_buffer("std", torch.tensor([0.37]).view(1, 1, 1, 1))
        self.stem, self.blocks, self.head = conv_bn(1, 16), nn.ModuleList([BasicBlock(16, 16) for _ in range(2)]), pooled(16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x.sub(self.mean).div(self.std))
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.training else block(x)
        return self.head(x)


@network("tensors changed in place")
class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1), pooled(24)
        self.last = conv_bn(32, 24)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu_()
        y = self.second(x)
        shifted = torch.zeros_like(y)
        shifted[:, :16, 1:] = y[:, :16, :-1]
        shifted[:, 16:] = y[:, 16:]
        shifted.mul_(0.9).add_(x)
        return self.head(self.last(shifted))


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        gate = torch.sigmoid(x)
        return grads[0] * (gate * (1 + x * (1 - gate)))


class MemoryEfficientSwish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Swish.apply(x)  # type: ignore[no-untyped-call]


@network("a custom autograd function")
def own_gradient() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        MemoryEfficientSwish(),
        nn.Conv2d(16, 32, 3, 2, 1),
        MemoryEfficientSwish(),
        pooled(32),
    )


@network("several outputs inside, auxiliary head in training")
class Auxiliary(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.auxiliary, self.body, self.head = conv_bn(1, 16), pooled(16), conv_bn(16, 32, stride=2), pooled(32)

    def features(self, x: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        low = self.stem(x)
        if mask is not None:
            low = low * mask
        return {"low": low, "high": self.body(low)}

    def forward(self, x: Tensor) -> Tensor:
        assert x.dim() == 4, "images are expected"
        outputs = self.features(x)
        if self.training:
            return self.head(outputs["high"]) + 0.3 * self.auxiliary(outputs["low"])
        return self.head(outputs["high"])


@network("a shape that is checked and restored", "flat")
class Folded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear, self.head = nn.Conv2d(1, 24, 3, padding=1), nn.Linear(24 * 16, 48), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4:
            side = int(x.shape[-1] ** 0.5)
            x = x.reshape(-1, 1, side, side)
        x = functional.max_pool2d(functional.relu(self.conv(x)), 2)
        return self.head(functional.relu(self.linear(x.view(-1, int(np.prod(x.shape[1:]))))))


@network("a fixed number of refinements")
class Refined(nn.Module):
    def __init__(self, rounds: int = 4) -> None:
        super().__init__()
        self.rounds, self.enter, self.update, self.head = (
            rounds,
            nn.Conv2d(1, 16, 3, padding=1),
            nn.Sequential(nn.Conv2d(32, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 16, 3, padding=1)),
            pooled(16),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        z = torch.zeros_like(x)
        for _ in range(self.rounds):
            z = torch.lerp(z, torch.tanh(self.update(torch.cat([x, z], 1))), 0.5)
        return self.head(z)


@network("early exit by confidence", "flat")
class EarlyExit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.early, self.second, self.late = (
            nn.Linear(64, 32),
            nn.Linear(32, 10),
            nn.Linear(32, 32),
            nn.Linear(32, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        h = functional.relu(self.first(x))
        early = self.early(h)
        if not self.training and early.softmax(-1).max(-1).values.min() > 0.999:
            return early
        return early + self.late(functional.relu(self.second(h)))


@network("NumPy in the forward pass", "flat")
class ThroughNumpy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        ranks = torch.from_numpy(np.sort(x.detach().numpy(), axis=-1))
        return self.second(functional.relu(self.first(x + 0.1 * ranks)))


@network("iterated until it settles", "flat")
class Equilibrium(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.step, self.head = nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        z = torch.zeros_like(x)
        for _ in range(30):
            new = torch.tanh(0.3 * self.step(z) + x)
            if (new - z).abs().max().item() < 1e-4:
                break
            z = new
        return self.head(z)
