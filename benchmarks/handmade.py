"""Hand-written networks, and their training before pruning."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from lepton_automl.modalities.image.sources import read_idx

Rows = tuple[Tensor, Tensor]
BATCH = 128


def normed(into: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution and its normalisation."""
    conv = nn.Conv2d(into, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out))


class Basic(nn.Module):
    """The basic block of He et al., Deep Residual Learning, CVPR 2016."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.first, self.last = normed(into, out, 3, stride), normed(out, out, 3)
        self.short: nn.Module = nn.Identity() if stride == 1 and into == out else normed(into, out, 1, stride)

    def forward(self, rows: Tensor) -> Tensor:
        features: Tensor = self.short(rows) + self.last(self.first(rows).relu())
        return features.relu()


class Inverted(nn.Module):
    """The inverted residual of Sandler et al., MobileNetV2, CVPR 2018."""

    def __init__(self, into: int, out: int, stride: int, expand: int = 3) -> None:
        super().__init__()
        mid = expand * into
        self.body = nn.Sequential(
            *normed(into, mid, 1), nn.ReLU6(), *normed(mid, mid, 3, stride, groups=mid), nn.ReLU6(), *normed(mid, out, 1)
        )
        self.adds = stride == 1 and into == out

    def forward(self, rows: Tensor) -> Tensor:
        features: Tensor = self.body(rows)
        return rows + features if self.adds else features


def resnet() -> nn.Module:
    """Two stages of two basic blocks, 32 and 64 channels, for images of 28 x 28."""
    blocks = (Basic(32, 32, 1), Basic(32, 32, 1), Basic(32, 64, 2), Basic(64, 64, 1))
    return nn.Sequential(*normed(1, 32, 3, 2), nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def mobilenet() -> nn.Module:
    """Three inverted residuals of 64 channels, for images of 28 x 28."""
    blocks = (Inverted(32, 64, 2), Inverted(64, 64, 1), Inverted(64, 64, 1))
    last = (*normed(64, 128, 1), nn.ReLU6())
    return nn.Sequential(
        *normed(1, 32, 3, 2), nn.ReLU6(), *blocks, *last, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)
    )


class Mixing(nn.Module):
    """A layer of an encoder: attention, then two linear layers, each after a norm (Vaswani et al., NeurIPS 2017)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.before, self.between = heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.body = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, rows: Tensor) -> Tensor:
        batch, length, width = rows.shape
        parts = self.qkv(self.before(rows)).reshape(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(parts[0], parts[1], parts[2]).transpose(1, 2).reshape(batch, length, width)
        rows = rows + self.out(mixed)
        features: Tensor = rows + self.body(self.between(rows))
        return features


class Encoder(nn.Module):
    """A small transformer encoder over the columns of a table, one vector per column (Gorishniy et al., NeurIPS 2021).

    Args:
            numbers: Number of numeric columns, which come first in a row.
            codes: Number of codes of each further column.
            classes: Number of classes.
    """

    def __init__(self, numbers: int, codes: tuple[int, ...], classes: int, width: int = 64) -> None:
        super().__init__()
        self.numbers = numbers
        self.scale, self.shift = nn.Parameter(torch.randn(numbers, width) * 0.1), nn.Parameter(torch.zeros(numbers, width))
        self.codes = nn.ModuleList(nn.Embedding(count, width) for count in codes)
        self.layers, self.last = nn.Sequential(Mixing(width, 4), Mixing(width, 4)), nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, rows: Tensor) -> Tensor:
        numbers_in = rows[:, : self.numbers, None] * self.scale + self.shift
        named = [codes(rows[:, self.numbers + n].long()) for n, codes in enumerate(self.codes)]
        mixed = self.layers(torch.cat([numbers_in, torch.stack(named, 1)], 1))
        answers: Tensor = self.head(self.last(mixed).mean(1))
        return answers


HANDMADE = {"resnet": resnet, "mobilenet": mobilenet}


def fashion(folder: Path, part: str, rows: int) -> Rows:
    """The first images of Fashion-MNIST's `train` or `t10k`, standardised, with their labels."""
    images, labels = (
        torch.tensor(read_idx(folder / f"{part}-{name}-idx{axes}-ubyte.gz", axes))
        for name, axes in (("images", 3), ("labels", 1))
    )
    return (images[:rows, None].float() / 255 - 0.286) / 0.353, labels[:rows].long()


def taught(model: nn.Module, rows: Rows, epochs: int, seed: int) -> nn.Module:
    """Train with AdamW and a one-cycle learning rate."""
    x, y = rows
    steps = epochs * (len(y) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=steps)
    model.train()
    for batch in batches(len(y), epochs, seed):
        optimizer.zero_grad()
        torch.autograd.backward(cross_entropy(model(x[batch]), y[batch], label_smoothing=0.1))
        optimizer.step()
        schedule.step()
    return model.eval()


def batches(rows: int, epochs: int, seed: int) -> list[Tensor]:
    """The row indices of every step."""
    chance = torch.Generator().manual_seed(seed)
    whole = math.floor(rows / BATCH) * BATCH
    return [step for _ in range(epochs) for step in torch.split(torch.randperm(rows, generator=chance)[:whole], BATCH)]


def accuracy(model: nn.Module, rows: Rows) -> float:
    """The share of correct predictions."""
    with torch.inference_mode():
        columns = torch.cat([model.eval()(x).argmax(1) for x in torch.split(rows[0], 1000)])
    return (columns == rows[1]).float().mean().item()
