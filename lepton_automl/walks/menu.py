"""The shapes that a network can be cut to, weighed before one of them is trained: speed does not depend on weights.

What the target likes is found by measuring: whole numbers want widths of 16, a small network gains nothing below some width,
and of two shapes that are equally fast the larger one is the better.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from lepton_automl.errors import ConfigError

RATIOS = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
MULTIPLES = (8, 16, 32)
ALIKE = 1.03  # times: the memory that a network is opened in makes as much


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A way to cut a network, and what is left.

    Args:
        ratio: Share of the channels that leave.
        multiple: What widths are rounded to.
        macs: Multiply-accumulates of one row, afterwards.
        latency_ms: Of a call, in the fastest way that the target allows.
    """

    ratio: float
    multiple: int
    macs: int
    latency_ms: float

    @property
    def told(self) -> str:
        """For people."""
        return f"{self.ratio:.0%} of the channels, by {self.multiple}s"


def menu(
    cut: Callable[[float, int], nn.Module],
    *,
    macs: Callable[[nn.Module], int],
    weigh: Callable[[nn.Module], float],
    ratios: Sequence[float] = RATIOS,
    multiples: Sequence[int] = MULTIPLES,
    whole_ms: float = float("inf"),
) -> list[Shape]:
    """The shapes worth training, the slowest and most capable first.

    Args:
        cut: An untrained cut of a ratio and a multiple.
        macs: Its arithmetic.
        weigh: Its milliseconds.
        ratios: Shares of the channels to try.
        multiples: What to round widths to.
        whole_ms: The uncut network's time: what is no faster is left out.

    Returns:
        Each of them faster and smaller than the one before; empty where no cut is possible, or none helps.
    """
    found: dict[int, Shape] = {}
    for ratio in ratios:
        for multiple in multiples:
            with contextlib.suppress(ConfigError):  # where rounding leaves nothing to cut
                model = cut(ratio, multiple)
                left = macs(model)
                if left not in found:
                    found[left] = Shape(ratio=ratio, multiple=multiple, macs=left, latency_ms=weigh(model))
    return worth_training(list(found.values()), whole_ms)


def worth_training(shapes: Sequence[Shape], whole_ms: float) -> list[Shape]:
    """Those that no other beats: none has more arithmetic in less time, or in a time that cannot be told from its own."""
    kept: list[Shape] = []
    for shape in sorted(shapes, key=lambda shape: (-shape.macs, shape.latency_ms)):
        bound = kept[-1].latency_ms if kept else whole_ms
        if shape.latency_ms * ALIKE < bound:
            kept.append(shape)
    return kept
