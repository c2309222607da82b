"""What recipes made of stages of blocks have in common: widths by path, and stages with fewer blocks."""

from __future__ import annotations

from typing import Any, Protocol, Self, TypeVar

from lepton_automl.errors import ConfigError
from lepton_automl.recipe import Widths


class StageLike(Protocol):
    """A stage; its blocks have the widths `mid` and `squeeze`, 0 for none."""

    @property
    def width(self) -> int: ...  # noqa: D102  # channels of its output
    @property
    def blocks(self) -> tuple[Any, ...]: ...  # noqa: D102  # in order

    def replace(self, **changes: Any) -> Self:
        """The stage with some fields changed."""


AnyStage = TypeVar("AnyStage", bound=StageLike)


def stage_widths(stages: tuple[AnyStage, ...]) -> Widths:
    """Stage widths, block mids and squeezes by path."""
    widths: Widths = {}
    for s, stage in enumerate(stages):
        widths[f"stages.{s}.width"] = stage.width
        for b, block in enumerate(stage.blocks):
            if block.mid:
                widths[f"stages.{s}.blocks.{b}.mid"] = block.mid
            if block.squeeze:
                widths[f"stages.{s}.blocks.{b}.squeeze"] = block.squeeze
    return widths


def with_stage_widths(stages: tuple[AnyStage, ...], widths: Widths) -> tuple[AnyStage, ...]:
    """The stages with some widths replaced."""
    return tuple(
        stage.replace(
            width=widths.get(f"stages.{s}.width", stage.width),
            blocks=tuple(
                block.replace(
                    mid=widths.get(f"stages.{s}.blocks.{b}.mid", block.mid),
                    squeeze=widths.get(f"stages.{s}.blocks.{b}.squeeze", block.squeeze),
                )
                for b, block in enumerate(stage.blocks)
            ),
        )
        for s, stage in enumerate(stages)
    )


def with_blocks(
    stages: tuple[AnyStage, ...], blocks_kept: tuple[tuple[int, ...], ...], first_block: str
) -> tuple[AnyStage, ...]:
    """The stages with only these blocks.

    Args:
        stages: The stages.
        blocks_kept: Indices of the blocks to keep, by stage.
        first_block: What a stage's first block does, for the error.

    Raises:
        ConfigError: The first block of a stage is left out.
    """
    if any(0 not in blocks for blocks in blocks_kept):
        raise ConfigError(f"a stage's first block {first_block} and cannot be removed", where="shrink")
    return tuple(
        stage.replace(blocks=tuple(stage.blocks[b] for b in blocks)) for stage, blocks in zip(stages, blocks_kept, strict=True)
    )
