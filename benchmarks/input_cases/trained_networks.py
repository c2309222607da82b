"""Small networks, trained on images of four classes."""

# ruff: noqa: N812  # networks in typical user style, in cases that may ignore their folder
# Type checkers cannot follow user-style networks with patches and hooks.
# mypy: ignore-errors

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lepton_automl import lean

from .networks import unchanged


def labelled(count: int = 160) -> tuple[Tensor, Tensor]:
    """Images of four classes: which quarter is bright."""
    chance = torch.Generator().manual_seed(3)
    classes = torch.arange(count) % 4
    rows = 0.3 * torch.randn(count, 1, 8, 8, generator=chance)
    for place, (down, right) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        rows[classes == place, :, down : down + 4, right : right + 4] += 1
    return rows, classes


def taught(net: nn.Module, steps: int = 60) -> nn.Module:
    """The same network, trained on these images."""
    rows, classes = labelled()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(net(rows), classes).backward()
        optimizer.step()
    return net.eval()


def plain(norm: nn.Module | None = None) -> nn.Module:
    """A network that depends on the position of pixels."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), norm or nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(64, 4),
    )  # fmt: skip


def accuracy(net: nn.Module) -> float:
    """Accuracy with one row per call."""
    rows, classes = labelled()
    with torch.no_grad():
        return float(np.mean([int(net(rows[n : n + 1]).argmax()) == int(classes[n]) for n in range(len(rows))]))


def leaned(net: nn.Module, **options: Any) -> nn.Module:
    """Return the result of `lean`, and assert that the original network is not changed."""
    with unchanged(net), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = lean(
            net, labelled(), validation=labelled(), progress=False, **{"ratio": 0.5, "multiple": 4, "epochs": 2, **options}
        )
    return result.model  # type: ignore[no-any-return]  # any network
