"""Modules that turn a network's outputs into answers. Ensemble members are averaged as answers, not as outputs."""

from __future__ import annotations

from torch import Tensor, nn

from lepton_automl.target_transform import TargetTransform


class Probabilities(nn.Module):
    """Probabilities from logits. The members' probabilities are averaged, not their logits (Gorishniy et al., TabM, ICLR 2025).

    Args:
        members: Whether outputs are [N, members, K] rather than [N, K].
        exclusive: Whether a row has exactly one label, so that its probabilities add up to 1; otherwise labels are independent.
    """

    def __init__(self, *, members: bool, exclusive: bool = True) -> None:
        super().__init__()
        self.members, self.exclusive = members, exclusive

    def forward(self, outputs: Tensor) -> Tensor:
        """[N, K] or [N, members, K] to probabilities [N, K]."""
        probabilities = outputs.softmax(-1) if self.exclusive else outputs.sigmoid()
        return probabilities.mean(1) if self.members else probabilities


class Numbers(nn.Module):
    """Numbers from standardised outputs. The members' numbers are averaged, also for quantiles (Vincent, 1912).

    Args:
        members: Whether outputs are [N, members, K] rather than [N, K].
        mean: Added after scaling: the number for a standardised output of 0.
        scale: Factor from standardised outputs to numbers.
        flat: Whether a row has one number, K = 1, so that answers are [N].
        transform: The transform to invert, in place of mean and scale; None if targets were only shifted and scaled.
    """

    def __init__(
        self,
        *,
        members: bool,
        mean: float = 0.0,
        scale: float = 1.0,
        flat: bool = False,
        transform: TargetTransform | None = None,
    ) -> None:
        super().__init__()
        self.members, self.mean, self.scale, self.flat, self.transform = members, mean, scale, flat, transform

    def forward(self, outputs: Tensor) -> Tensor:
        """[N, K] or [N, members, K] to numbers [N, K], or [N]; quantiles of one row may still cross."""
        numbers = outputs.mean(1) if self.members else outputs
        numbers = numbers.reshape(-1) if self.flat else numbers
        if self.transform is None:
            return numbers * self.scale + self.mean
        # An exponential would turn an answer far outside the training range into an absurd one.
        return self.transform.to_unit(numbers.clamp(self.transform.low, self.transform.high))
