"""The shapes that a network can be pruned to, timed before any of them is trained, as speed does not depend on weights.

Which shapes suit the target is measured: int8 kernels prefer widths of 16, a small network gains nothing below some width,
and of two equally fast shapes the larger one is better.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from lepton_automl.errors import ConfigError

RATIOS = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
SHALLOW = (0.0, 0.25, 0.5, 0.75)  # ratios together with removed blocks
MULTIPLES = (8, 16, 32)
BLOCKS = (1, 2, 3)  # numbers of blocks to remove; nothing else helps a network dominated by kernel calls
ALIKE = 1.03  # factor; memory placement alone changes times by as much


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
        channels = [f"{self.ratio:.0%} of the channels, by {self.multiple}s"] if self.ratio else []
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
        cut: Prunes the network untrained: blocks, ratio of channels, multiple.
        macs: Counts a network's multiply-accumulates.
        latency_ms: Measures a network's latency.
        grid: The shapes to try; of those with equal multiply-accumulates only the first is timed.
        whole_ms: The latency of the full network; shapes that are not faster are left out.

    Returns:
        Each faster and smaller than the one before; empty if no pruning is possible or none helps.
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
    """Channels alone, then blocks alone and with fewer channels.

    Args:
        multiples: Multiples to round widths to.
        ratios: Shares of channels, if no block is removed.
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
