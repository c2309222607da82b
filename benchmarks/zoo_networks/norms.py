"""Networks with different normalisation, scaling and gating."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from .convolutions import conv_bn, pooled
from .entry import network


class ConvNeXtNorm(nn.Module):
    """Layer norm over the channels of an image, written by hand."""

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        u = x.mean(1, keepdim=True)
        s = (x - u).pow(2).mean(1, keepdim=True)
        x = (x - u) / torch.sqrt(s + self.eps)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class ConvNeXtBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, kernel_size=5, padding=2, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1, self.act, self.pwconv2 = nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(0.5 * torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x
        x = self.dwconv(x).permute(0, 2, 3, 1)
        x = self.pwconv2(self.act(self.pwconv1(self.norm(x))))
        return shortcut + (self.gamma * x).permute(0, 3, 1, 2)


@network("ConvNeXt", "large")
class ConvNeXt(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 24, 2, 2), ConvNeXtNorm(24))
        self.stages = nn.Sequential(ConvNeXtBlock(24), ConvNeXtNorm(24), nn.Conv2d(24, 32, 2, 2), ConvNeXtBlock(32))
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.stages(self.stem(x)).mean([-2, -1])))


class GlobalResponse(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.zeros(1, 1, 1, width)), nn.Parameter(torch.zeros(1, 1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        gx = torch.norm(x, p=2, dim=(1, 2), keepdim=True)
        return self.gamma * (x * (gx / (gx.mean(dim=-1, keepdim=True) + 1e-6))) + self.beta + x


@network("ConvNeXt v2, global response norm")
class ConvNeXtV2(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.depth, self.norm = nn.Conv2d(1, 24, 2, 2), nn.Conv2d(24, 24, 3, padding=1, groups=24), nn.LayerNorm(24)
        self.up, self.response, self.down, self.head = nn.Linear(24, 64), GlobalResponse(64), nn.Linear(64, 24), pooled(24)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.norm(self.depth(x).permute(0, 2, 3, 1))
        return self.head(x + self.down(self.response(functional.gelu(self.up(y)))).permute(0, 3, 1, 2))


class Mixing(nn.Module):
    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        return self.fn(x) + x


@network("ConvMixer")
def convmixer() -> nn.Module:
    def block() -> nn.Sequential:
        depth = Mixing(nn.Sequential(nn.Conv2d(32, 32, 3, groups=32, padding="same"), nn.GELU(), nn.BatchNorm2d(32)))
        return nn.Sequential(depth, nn.Conv2d(32, 32, kernel_size=1), nn.GELU(), nn.BatchNorm2d(32))

    return nn.Sequential(nn.Conv2d(1, 32, 2, 2), nn.GELU(), nn.BatchNorm2d(32), block(), block(), pooled(32))


class StandardizedConv(nn.Conv2d):
    """Weight standardisation, as used with group norms."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight
        mean = weight.mean(dim=(1, 2, 3), keepdim=True)
        std = weight.view(weight.size(0), -1).std(dim=1).view(-1, 1, 1, 1) + 1e-5
        return functional.conv2d(
            x, (weight - mean) / std.expand_as(weight), self.bias, self.stride, self.padding, self.dilation, self.groups
        )


@network("group norm, standardised weights")
def standardized() -> nn.Module:
    return nn.Sequential(
        StandardizedConv(1, 32, 3, padding=1), nn.GroupNorm(8, 32), nn.ReLU(),
        StandardizedConv(32, 32, 3, 2, 1), nn.GroupNorm(8, 32), nn.ReLU(), pooled(32),
    )  # fmt: skip


@network("group norm")
def group_norm() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.GroupNorm(4, 32), nn.SiLU(), nn.Conv2d(32, 48, 3, 2, 1), nn.GroupNorm(1, 48), nn.SiLU(),
        nn.Conv2d(48, 32, 3, padding=1), nn.GroupNorm(32, 32), nn.SiLU(), pooled(32),
    )  # fmt: skip


@network("instance norm")
def instance_norm() -> nn.Module:
    return nn.Sequential(
        nn.ReflectionPad2d(1), nn.Conv2d(1, 24, 3), nn.InstanceNorm2d(24, affine=True), nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(24, 32, 3, 2, 1, padding_mode="circular"), nn.InstanceNorm2d(32), nn.LeakyReLU(0.2), nn.Conv2d(32, 32, 3), nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6).type_as(x) * self.weight


class Gated(nn.Module):
    """The feed-forward layer of LLaMA."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm, self.w1, self.w2, self.w3 = (
            RMSNorm(width),
            nn.Linear(width, hidden, bias=False),
            nn.Linear(hidden, width, bias=False),
            nn.Linear(width, hidden, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        return x + self.w2(functional.silu(self.w1(y)) * self.w3(y))


@network("RMS norm by hand, SwiGLU", "flat")
def swiglu() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 32), Gated(32, 64), Gated(32, 64), RMSNorm(32), nn.Linear(32, 10))


@network("torch's RMS norm, GLU", "flat")
def glu() -> nn.Module:
    return nn.Sequential(
        nn.Linear(64, 48),
        nn.RMSNorm(48),
        nn.SiLU(),
        nn.Linear(48, 64),
        nn.GLU(),
        nn.Linear(32, 64),
        nn.GLU(dim=-1),
        nn.Linear(32, 10),
    )


@network("weight norm", "flat")
def weight_norm() -> nn.Module:
    return nn.Sequential(
        parametrizations.weight_norm(nn.Linear(64, 48)),
        nn.ReLU(),
        parametrizations.weight_norm(nn.Linear(48, 32)),
        nn.ReLU(),
        nn.Linear(32, 10),
    )


@network("spectral norm")
def spectral_norm() -> nn.Module:
    return nn.Sequential(
        parametrizations.spectral_norm(nn.Conv2d(1, 16, 3, padding=1)),
        nn.LeakyReLU(0.1),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        pooled(32),
    )


@network("PReLU, one weight and many")
def prelu() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.PReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.PReLU(32),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.PReLU(),
        pooled(32),
    )


class MaxoutConv(nn.Module):
    def __init__(self, enter: int, leave: int, pieces: int = 2) -> None:
        super().__init__()
        self.leave, self.pieces = leave, pieces
        self.conv = nn.Conv2d(enter, leave * pieces, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = x.view(x.size(0), self.leave, self.pieces, x.size(2), x.size(3))
        return torch.max(x, dim=2)[0]


@network("maxout")
def maxout() -> nn.Module:
    return nn.Sequential(MaxoutConv(1, 16), nn.MaxPool2d(2), MaxoutConv(16, 24), conv_bn(24, 32), pooled(32))


@network("max and average pooling joined")
class BothPools(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = (
            nn.Sequential(conv_bn(1, 16), conv_bn(16, 32, stride=2)),
            nn.Sequential(nn.BatchNorm1d(64), nn.Linear(64, 10)),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        return self.head(
            torch.cat([functional.adaptive_avg_pool2d(x, 1), functional.adaptive_max_pool2d(x, 1)], 1).squeeze(-1).squeeze(-1)
        )


@network("generalised mean pooling, scaled cosine head")
class CosineHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.p = nn.Sequential(conv_bn(1, 16), conv_bn(16, 32, stride=2)), nn.Parameter(torch.ones(1) * 3)
        self.weight, self.scale = nn.Parameter(torch.randn(10, 32) * 0.2), nn.Parameter(torch.tensor(8.0))

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x).clamp(min=1e-6).pow(self.p)
        x = functional.avg_pool2d(x, (x.size(-2), x.size(-1))).pow(1.0 / self.p).flatten(1)
        return self.scale * functional.linear(functional.normalize(x), functional.normalize(self.weight))


def squash(x: Tensor) -> Tensor:
    squared = (x**2).sum(-1, keepdim=True)
    return squared / (1 + squared) * x / (squared.sqrt() + 1e-8)


@network("capsules, routed three times")
class Capsules(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.primary = nn.Conv2d(1, 24, 3, 1, 1), nn.Conv2d(24, 32, 3, 2, 1)
        self.weight = nn.Parameter(0.1 * torch.randn(1, 64, 10, 8, 8))

    def forward(self, x: Tensor) -> Tensor:
        u = self.primary(functional.relu(self.conv(x)))
        u = squash(u.view(u.size(0), 4, 8, 16).permute(0, 1, 3, 2).reshape(u.size(0), 64, 8))
        votes = (self.weight @ u[:, :, None, :, None]).squeeze(-1)
        logits = torch.zeros_like(votes[..., :1])
        for _ in range(2):
            out = squash((logits.softmax(2) * votes).sum(1, keepdim=True))
            logits = logits + (votes * out).sum(-1, keepdim=True)
        out = squash((logits.softmax(2) * votes).sum(1))
        return 10 * out.norm(dim=-1)
