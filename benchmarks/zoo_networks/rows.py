"""Real data for the networks: scikit-learn's digits as images, sequences and tokens, and two of its tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from torch import Tensor
from torch.nn.functional import interpolate

Pairs = tuple[Tensor, Tensor]
HELD = 400  # maximum number of rows for scoring; at most a quarter of the rows
CLASSES = 10


@cache
def split(kind: str) -> tuple[Pairs, Pairs]:
    """Rows and targets for training and for scoring.

    Args:
        kind: A key of `KINDS`.
    """
    rows, targets = KINDS[kind]()
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    held = min(HELD, len(rows) // 4)
    first, second = order[:held], order[held:]
    return (rows[second], targets[second]), (rows[first], targets[first])


def _digits() -> Pairs:
    """Images [N, 1, 8, 8] with values from 0 to 1, and their classes."""
    dataset = load_digits()
    return torch.tensor(dataset.images, dtype=torch.float32)[:, None] / 16, torch.tensor(dataset.target)


def _large() -> Pairs:
    """The same at [N, 1, 16, 16]."""
    rows, targets = _digits()
    return interpolate(rows, size=16, mode="bilinear"), targets


def _color() -> Pairs:
    """The same at [N, 3, 16, 16], with a different contrast per channel."""
    rows, targets = _large()
    return torch.cat([rows, rows.sqrt(), 1 - rows], 1), targets


def _steps() -> Pairs:
    """Sequences [N, 8, 8]: one line of the image per step."""
    rows, targets = _digits()
    return rows[:, 0], targets


def _signal() -> Pairs:
    """Signals [N, 1, 64]."""
    rows, targets = _digits()
    return rows.flatten(2), targets


def _flat() -> Pairs:
    """Vectors [N, 64]."""
    rows, targets = _digits()
    return rows.flatten(1), targets


def _tokens() -> Pairs:
    """Sequences of 32 token ids below 160, [N, 32]: position and brightness of every second pixel."""
    rows, targets = _digits()
    levels = (rows.flatten(1)[:, ::2] * 4).round().long()
    return levels + 5 * torch.arange(32), targets


def _cancer() -> Pairs:
    """A table of 30 standardised columns with two classes."""
    dataset = load_breast_cancer()
    return _standardised(dataset.data), torch.tensor(dataset.target)


def _diabetes() -> Pairs:
    """A table of 10 columns with a numeric target."""
    dataset = load_diabetes()
    return _standardised(dataset.data), torch.tensor(dataset.target, dtype=torch.float32)


def _standardised(table: np.ndarray) -> Tensor:
    rows = torch.tensor(table, dtype=torch.float32)
    return (rows - rows.mean(0)) / rows.std(0)


KINDS: dict[str, Callable[[], Pairs]] = {
    "digits": _digits,
    "large": _large,
    "color": _color,
    "steps": _steps,
    "signal": _signal,
    "flat": _flat,
    "tokens": _tokens,
    "cancer": _cancer,
    "diabetes": _diabetes,
}
