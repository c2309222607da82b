"""Networks for sequences as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from lepton_automl.recipe import Box, Recipe, Widths


@dataclass(frozen=True, kw_only=True)
class SequenceRecipe(Recipe):
    """A network without blocks, whose widths are fields.

    Args:
        length: Numbers in a sequence, padding included.
    """

    length: int

    def with_widths(self, widths: Widths) -> Self:
        """The same network with some widths replaced."""
        return self.replace(**widths)

    @property
    def depths(self) -> tuple[int, ...]:
        """No blocks."""
        return ()

    def keep_blocks(self, blocks_kept: tuple[tuple[int, ...], ...]) -> Self:
        """The same network."""
        return self


@dataclass(frozen=True, kw_only=True)
class PooledRecipe(SequenceRecipe):
    """Each number by itself, their mean, and a layer behind it.

    Args:
        width: Channels of a number.
        hidden: Channels behind the mean.
    """

    family: str = "pooled"
    width: int
    hidden: int

    def describe(self) -> str:
        """Both widths."""
        return f"mean of {self.width}, {self.hidden}"

    def diagram(self) -> tuple[Box, ...]:
        """The numbers, the mean, the outputs."""
        return (
            ("numbers", self.width, f"each of {self.length} numbers by itself", -1),
            ("mean", self.hidden, "their mean, and a layer", 0),
            ("outputs", self.outputs, "outputs", -1),
        )

    @property
    def macs(self) -> int:
        """Of three layers."""
        return self.length * 2 * self.width + self.width * self.hidden + self.hidden * self.outputs

    @property
    def widths(self) -> Widths:
        """Both."""
        return {"width": self.width, "hidden": self.hidden}
