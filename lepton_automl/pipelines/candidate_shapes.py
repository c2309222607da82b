"""The shapes that a network can be pruned to, timed before any of them is trained, as speed does not depend on weights.

Shapes are measured because their speed is hard to predict: int8 kernels prefer multiples of 16, and a small network gains
nothing below some width. Of two equally fast shapes the larger one is better.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from lepton_automl.errors import ConfigError

RATIOS = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
SHALLOW = (0.0, 0.25, 0.5, 0.75)  # ratios to combine with removed blocks
MULTIPLES = (8, 16, 32)
BLOCKS = (1, 2, 3)  # numbers of blocks to remove; nothing else helps a network dominated by kernel calls
ALIKE = 1.03  # times within this factor count as equal; memory placement alone changes them by as much


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A pruned shape of a network, and its cost.

    Args:
        blocks: Number of removed blocks.
        ratio: Share of removed channels.
        multiple: Widths are rounded to multiples of this.
        macs: Multiply-accumulates per row after pruning.
        latency_ms: Milliseconds per call, in the fastest variant on the target.
    """

    blocks: int = 0
    ratio: float
    multiple: int
    macs: int
    latency_ms: float

    @property
    def description(self) -> str:
        """The shape in words."""
        blocks = [f"{self.blocks} block{'s' * (self.blocks > 1)}"] if self.blocks else []
        channels = [f"{self.ratio:.0%} of the channels, in multiples of {self.multiple}"] if self.ratio else []
        return " and ".join(blocks + channels)


def shapes_worth_training(
    cut: Callable[[int, float, int], nn.Module],
    *,
    macs: Callable[[nn.Module], int],
    latency_ms: Callable[[nn.Module], float],
    grid: Iterable[tuple[int, float, int]],
    whole_ms: float,
) -> list[Shape]:
    """The shapes worth training, the slowest and most capable first.

    Args:
        cut: Prunes the network without training it, by a number of blocks, a ratio of channels and a multiple.
        macs: Counts a network's multiply-accumulates.
        latency_ms: Measures a network's latency.
        grid: The shapes to try; of those with equal multiply-accumulates only the first is timed.
        whole_ms: The latency of the full network; shapes that are not faster are left out.

    Returns:
        The shapes, each faster and smaller than the one before; empty if no pruning is possible or none helps.
    """
    shapes: dict[int, Shape] = {}
    for blocks, ratio, multiple in grid:
        with contextlib.suppress(ConfigError):  # nothing left to prune
            model = cut(blocks, ratio, multiple)
            left = macs(model)
            if left not in shapes:
                latency = latency_ms(model)
                shapes[left] = Shape(blocks=blocks, ratio=ratio, multiple=multiple, macs=left, latency_ms=latency)
    return worth_training(list(shapes.values()), whole_ms)


def grid_of(
    multiples: Sequence[int], ratios: Sequence[float] = RATIOS, blocks: Sequence[int] = ()
) -> list[tuple[int, float, int]]:
    """A grid of shapes: channels alone, then blocks alone and blocks with channels.

    Args:
        multiples: Multiples to round widths to.
        ratios: Shares of channels to remove if no block is removed.
        blocks: Numbers of blocks to remove.
    """
    narrow = [(0, ratio, multiple) for ratio in ratios for multiple in multiples]
    shallow = [(count, ratio, multiple) for count in blocks for ratio in SHALLOW for multiple in multiples[: 2 if ratio else 1]]
    return narrow + shallow


def worth_training(shapes: Sequence[Shape], whole_ms: float) -> list[Shape]:
    """The shapes that are not dominated: no other has more multiply-accumulates in less or about equal time."""
    worthwhile: list[Shape] = []
    for shape in sorted(shapes, key=lambda shape: (-shape.macs, shape.latency_ms)):
        bound = worthwhile[-1].latency_ms if worthwhile else whole_ms
        if shape.latency_ms * ALIKE < bound:
            worthwhile.append(shape)
    return worthwhile
