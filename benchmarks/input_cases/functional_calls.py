"""Functional calls and in-place operations; and networks without one output per row, which are rejected."""

# ruff: noqa: N812, PLW0108  # networks in typical user style, in cases that may ignore their folder
# Type checkers cannot follow user-style networks with patches and hooks.
# mypy: ignore-errors

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .networks import FUNCTIONS, UNFOLLOWED, Calls, branch_on_values, layers, network, with_layer


class LiveDropout(nn.Dropout):
    def forward(self, rows: Tensor) -> Tensor:
        return F.dropout(rows, 0.3)


def _alias(rows: Tensor) -> Tensor:
    other = rows
    rows += 1
    return other * rows


def _part(rows: Tensor) -> Tensor:
    first = rows[:, :8]
    first.mul_(3)
    return rows


def _item(rows: Tensor) -> Tensor:
    rows = rows.clone()
    rows[:, 0] = 0
    return rows


def _only_tensors(rows: Tensor) -> Tensor:
    return rows.relu() if isinstance(rows, Tensor) else rows


class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.leave = nn.Linear(64, 4)

    def forward(self, rows: Tensor) -> Tensor:
        return self.leave(rows.sub_(0.5).div_(3).flatten(1))


class Squeezed(nn.Module):
    """With one row, this also squeezes the batch axis."""

    def __init__(self) -> None:
        super().__init__()
        self.leave = nn.Conv2d(1, 4, 8)

    def forward(self, rows: Tensor) -> Tensor:
        return self.leave(rows).squeeze()


@torch.fx.wrap
def tanh(rows: Tensor) -> Tensor:
    """A function with the same name as one of torch."""
    return rows.abs() + 1


network(FUNCTIONS, "x += 1 under two names")(lambda: Calls(_alias))
network(FUNCTIONS, "an in-place change of one half", slow=True)(lambda: Calls(_part))
network(FUNCTIONS, "an item assignment", slow=True)(lambda: Calls(_item))
network(FUNCTIONS, "a check whether it is a tensor", slow=True)(lambda: Calls(_only_tensors))
network(FUNCTIONS, "a custom function called tanh", slow=True)(lambda: Calls(lambda rows: tanh(rows)))
network(FUNCTIONS, "rows that are changed in place")(InPlace)
network(FUNCTIONS, "functional dropout with training=False")(lambda: Calls(lambda rows: F.dropout(rows, 0.5, training=False)))
network(FUNCTIONS, "squeeze at the end")(Squeezed)


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.leave = nn.Linear(64, 4)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        answers = self.leave(rows.flatten(1))
        return answers, answers.softmax(1)


def _quantized() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(layers(nn.Linear(64, 32)), {nn.Linear})  # type: ignore[no-any-return]


RANDOM = "it draws random numbers in evaluation mode"
network(UNFOLLOWED, "functional dropout without a mode", refused=RANDOM)(lambda: Calls(lambda rows: F.dropout(rows, 0.5)))
network(UNFOLLOWED, "a custom dropout that is always active", refused=RANDOM)(with_layer(LiveDropout))
network(UNFOLLOWED, "attention with dropout", refused=RANDOM)(
    lambda: Calls(lambda rows: F.scaled_dot_product_attention(rows, rows, rows, dropout_p=0.5))
)
network(UNFOLLOWED, "noise", refused=RANDOM)(lambda: Calls(lambda rows: rows + torch.randn_like(rows)))
network(UNFOLLOWED, "rows minus their mean", refused="output for a row depends on the other rows of the call")(
    lambda: Calls(lambda rows: rows - rows.mean(0, keepdim=True))
)
network(UNFOLLOWED, "a branch on values", refused="its forward pass branches on values", slow=True)(
    lambda: Calls(branch_on_values)
)
network(UNFOLLOWED, "two outputs", refused="returns a tuple; it must return one tensor")(Pair)
network(UNFOLLOWED, "quantized layers", refused="output for a row depends on the other rows of the call")(_quantized)
