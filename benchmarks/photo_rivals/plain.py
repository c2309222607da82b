"""`python -m benchmarks.photo_rivals.plain FOLDER`: the plain script: a small ResNet from scratch, with crop, flip and colour."""

from __future__ import annotations

import math
import sys
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .run_folder import Run

SIDE, JITTER, BATCH, LR = 64, 8, 64, 0.05


class Block(nn.Module):
    """The basic block of He et al., Deep Residual Learning, CVPR 2016."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*conv(into, out, stride), nn.ReLU(), *conv(out, out, 1))
        self.short = nn.Sequential(*conv(into, out, stride, 1)) if stride > 1 or into != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x) + self.short(x))


def conv(into: int, out: int, stride: int, kernel: int = 3) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(into, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out)


def resnet(classes: int, side: int) -> nn.Module:
    """Four blocks of 32 to 256 channels; photos of 64 pixels are halved before the first one."""
    stem = (*conv(3, 32, 2 if side >= SIDE else 1), nn.ReLU())
    blocks = (Block(32, 32, 1), Block(32, 64, 2), Block(64, 128, 2), Block(128, 256, 2))
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, classes))


def augment(photos: Tensor, side: int) -> Tensor:
    """Random crops of side x side, flips, and changes of contrast and brightness."""
    rows, room = len(photos), photos.shape[-1] - side
    corners = torch.randint(0, room + 1, (rows, 2)).tolist()
    cut = torch.stack([p[:, y : y + side, x : x + side] for p, (y, x) in zip(photos, corners, strict=True)]).float()
    cut = torch.where(torch.rand(rows, 1, 1, 1) < 0.5, cut.flip(-1), cut)
    return cut * (0.6 + 0.8 * torch.rand(rows, 1, 1, 1)) + 102 * (torch.rand(rows, 1, 1, 1) - 0.5)


def main(run: Run) -> None:
    """Train until the time is up, and export the network."""
    data = run.photos()
    stored = min(SIDE + JITTER, data.shorter_side)
    side = SIDE if stored == SIDE + JITTER else stored
    margin = (side + JITTER - stored) // 2
    edges = ((0, 0), (0, 0), (margin, margin), (margin, margin))
    photos = torch.from_numpy(np.pad(data.pixels(stored), edges, mode="reflect"))
    labels, train, test = (torch.from_numpy(x) for x in (data.labels, data.train_rows(run.seed), data.test_rows(run.seed)))
    sample = photos[train[:1000]].float()
    mean, std = sample.mean((0, 2, 3)).view(1, 3, 1, 1), sample.std((0, 2, 3)).view(1, 3, 1, 1)
    network = resnet(len(data.classes), side).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    optimizer = torch.optim.SGD(network.parameters(), LR, momentum=0.9, weight_decay=5e-4, nesterov=True)
    order, epochs, steps = torch.tensor([], dtype=torch.int64), 0, 0
    network.train()
    for share in run.shares(time.perf_counter()):
        if len(order) < BATCH:
            order, epochs = train[torch.randperm(len(train))], epochs + 1
        rows, order, steps = order[:BATCH], order[BATCH:], steps + 1
        optimizer.param_groups[0]["lr"] = LR * min(1, steps / 100) * (1 + math.cos(math.pi * share)) / 2
        x = ((augment(photos[rows], side) - mean) / std).contiguous(memory_format=torch.channels_last)
        loss = functional.cross_entropy(network(x), labels[rows], label_smoothing=0.1)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    middle = (photos.shape[-1] - side) // 2
    x = (photos[test][..., middle : middle + side, middle : middle + side].float() - mean) / std
    run.finish(network, x, labels[test], side=side, epochs=epochs)


if __name__ == "__main__":
    main(Run.read(sys.argv[1]))
