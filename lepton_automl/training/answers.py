"""From a network's outputs to answers. Members of an ensemble are averaged as answers, not as outputs."""

from __future__ import annotations

from torch import Tensor, nn


class Probabilities(nn.Module):
    """Probabilities of logits. Members' probabilities are averaged, not their logits (Gorishniy et al., TabM, ICLR 2025).

    Args:
        members: Whether outputs are [N, members, K] rather than [N, K].
        exclusive: Whether a row has one label, so that its probabilities add up to 1; else each label is by itself.
    """

    def __init__(self, *, members: bool, exclusive: bool = True) -> None:
        super().__init__()
        self.members, self.exclusive = members, exclusive

    def forward(self, outputs: Tensor) -> Tensor:
        """[N, K] or [N, members, K] to probabilities [N, K]."""
        each = outputs.softmax(-1) if self.exclusive else outputs.sigmoid()
        return each.mean(1) if self.members else each


class Numbers(nn.Module):
    """Numbers of standardised outputs. Members' numbers are averaged; of quantiles too (Vincent, 1912).

    Args:
        members: Whether outputs are [N, members, K] rather than [N, K].
        mean: What a standardised value of 0 stands for.
        scale: What a standardised step of 1 stands for.
        flat: Whether a row has one number, K = 1, so that answers are [N].
    """

    def __init__(self, *, members: bool, mean: float = 0.0, scale: float = 1.0, flat: bool = False) -> None:
        super().__init__()
        self.members, self.mean, self.scale, self.flat = members, mean, scale, flat

    def forward(self, outputs: Tensor) -> Tensor:
        """[N, K] or [N, members, K] to numbers [N, K], or [N]; quantiles of one row may still cross."""
        each = outputs.mean(1) if self.members else outputs
        return (each.reshape(-1) if self.flat else each) * self.scale + self.mean
