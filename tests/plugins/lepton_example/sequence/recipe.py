"""Pooling networks as values."""

from __future__ import annotations

from dataclasses import dataclass

from lepton_automl.recipe import Box, Recipe, Widths


@dataclass(frozen=True, kw_only=True)
class PooledRecipe(Recipe):
    """Each number by itself, their mean, and a layer behind it.

    Args:
        length: Numbers in a sequence, padding included.
        width: Channels of a number.
        hidden: Channels behind the mean.
    """

    family: str = "pooled"
    length: int
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

    def with_widths(self, widths: Widths) -> PooledRecipe:
        """The same network with some widths replaced."""
        return self.replace(**widths)

    @property
    def depths(self) -> tuple[int, ...]:
        """No blocks."""
        return ()

    def keep_blocks(self, blocks_kept: tuple[tuple[int, ...], ...]) -> PooledRecipe:
        """The same network."""
        return self
