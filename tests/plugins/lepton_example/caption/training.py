"""Captions in training: their loss, the tokens, their scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class TokenCrossEntropy(nn.Module):
    """The cross-entropy of each letter and of the end mark; what is behind it does not count.

    Args:
        end: The token of the end mark.
    """

    def __init__(self, end: int) -> None:
        super().__init__()
        self.end = end

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of scores [N, longest * tokens] and tokens [N, longest]."""
        scores = outputs.unflatten(1, (targets.shape[1], -1))
        counts = (targets != self.end).int().roll(1, 1)
        counts[:, 0] = 1
        loss = cross_entropy(scores.transpose(1, 2), targets, reduction="none")
        return (loss * counts).sum() / counts.sum()


class Tokens(nn.Module):
    """The best token at each place, and the end mark behind the first one.

    Args:
        longest: Places.
        end: The token of the end mark.
        members: Whether outputs have an axis of ensemble members.
    """

    def __init__(self, *, longest: int, end: int, members: bool) -> None:
        super().__init__()
        self.longest, self.end, self.members = longest, end, members

    def forward(self, outputs: Tensor) -> Tensor:
        """Scores [N, longest * tokens] to tokens [N, longest]."""
        mean = outputs.mean(1) if self.members else outputs
        best = mean.unflatten(1, (self.longest, self.end + 1)).argmax(2)
        ended = (best == self.end).int().cumsum(1) > 0
        return torch.where(ended, self.end, best)
