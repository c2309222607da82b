"""The shapes that a network can be cut to, weighed before one of them is trained: speed does not depend on weights.

What the target likes is found by measuring: whole numbers want widths of 16, a small network gains nothing below some width,
and of two shapes that are equally fast the larger one is the better.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from lepton_automl.errors import ConfigError

RATIOS = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
SHALLOW = (0.0, 0.25, 0.5, 0.75)  # beside whole blocks that leave
MULTIPLES = (8, 16, 32)
BLOCKS = (1, 2, 3)  # whole blocks that may leave: a network whose time goes into calling kernels gains by nothing else
ALIKE = 1.03  # times: the memory that a network is opened in makes as much


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A way to cut a network, and what is left.

    Args:
        blocks: Blocks that leave whole.
        ratio: Share of the channels that leave.
        multiple: What widths are rounded to.
        macs: Multiply-accumulates of one row, afterwards.
        latency_ms: Of a call, in the fastest way that the target allows.
    """

    blocks: int = 0
    ratio: float
    multiple: int
    macs: int
    latency_ms: float

    @property
    def description(self) -> str:
        """For people."""
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
        cut: An untrained cut: so many blocks, a ratio of the channels, a multiple.
        macs: Its arithmetic.
        latency_ms: Its milliseconds.
        grid: What to try; of shapes with equal arithmetic the first is weighed.
        whole_ms: The uncut network's time: what is no faster is left out.

    Returns:
        Each of them faster and smaller than the one before; empty where no cut is possible, or none helps.
    """
    shapes: dict[int, Shape] = {}
    for blocks, ratio, multiple in grid:
        with contextlib.suppress(ConfigError):  # where nothing is left to cut
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
        multiples: What to round widths to.
        ratios: Shares of the channels, where no block leaves.
        blocks: Numbers of blocks that may leave.
    """
    narrow = [(0, ratio, multiple) for ratio in ratios for multiple in multiples]
    shallow = [(count, ratio, multiple) for count in blocks for ratio in SHALLOW for multiple in multiples[: 2 if ratio else 1]]
    return narrow + shallow


def worth_training(shapes: Sequence[Shape], whole_ms: float) -> list[Shape]:
    """Those that no other beats: none has more arithmetic in less time, or in a time that cannot be told from its own."""
    worthwhile: list[Shape] = []
    for shape in sorted(shapes, key=lambda shape: (-shape.macs, shape.latency_ms)):
        bound = worthwhile[-1].latency_ms if worthwhile else whole_ms
        if shape.latency_ms * ALIKE < bound:
            worthwhile.append(shape)
    return worthwhile
