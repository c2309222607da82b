"""From a network's outputs to what a person asked for."""

from __future__ import annotations

from torch import Tensor, nn


class Answer(nn.Module):
    """Probabilities [N, classes], or values [N] when there is one output.

    Members' probabilities are averaged, not their logits (Gorishniy et al., TabM, ICLR 2025).

    Args:
        outputs: Outputs for one example; 1 means regression.
        members: Whether outputs are [N, members, outputs] rather than [N, outputs].
        mean: What a standardised value of 0 stands for.
        scale: What a standardised step of 1 stands for.
    """

    def __init__(self, outputs: int, *, members: bool, mean: float = 0.0, scale: float = 1.0) -> None:
        super().__init__()
        self.values, self.members = outputs == 1, members
        self.mean, self.scale = mean, scale

    def forward(self, outputs: Tensor) -> Tensor:
        """[N, outputs] or [N, members, outputs] to the answer."""
        each = outputs if self.values else outputs.softmax(-1)
        answers = each.mean(1) if self.members else each
        return answers.reshape(-1) * self.scale + self.mean if self.values else answers
