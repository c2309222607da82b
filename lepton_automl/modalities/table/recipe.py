"""Recipes of networks for tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lepton_automl.errors import ConfigError
from lepton_automl.recipe import Box, LinearRecipe, Recipe, Widths
from lepton_automl.texts import many

NAMES = {"mlp": "MLP", "resnet": "ResNet"}


@dataclass(frozen=True, kw_only=True)
class TableRecipe(Recipe):
    """A RecipeNet for tables: embeddings, residual or plain blocks, an ensemble of heads over one trunk.

    The parameter-efficient ensemble follows TabM-mini (Gorishniy et al., TabM, ICLR 2025): each of `heads` members
    scales the embedded row by its own vector, the trunk is shared, each member has its own last layer.

    Args:
        numeric: Numeric columns.
        plain: How many of them, the last ones, are never embedded.
        cardinalities: Number of codes of each categorical column, including the unknown one.
        one_hot: Whether a category becomes a one-hot vector, not a learnt one.
        frequency: Spread of the initial frequencies of the periodic embedding, in turns over half the scaled range.
        embedding: How a number becomes a vector: `"linear"` (itself), `"piecewise"` (piecewise-linear encoding over
            `bins` equal bins of the quantile-scaled value) or `"periodic"` (cosines of learnt frequencies and phases).
            (Gorishniy et al., On Embeddings for Numerical Features, NeurIPS 2022.)
        bins: Bins, or frequencies, of one number.
        embedded: Size of the vector of one number, for `"piecewise"` and `"periodic"`; 0 leaves the encoding as it is.
        kind: `"mlp"` blocks change the width freely; `"resnet"` blocks add to a trunk of one width.
        width: Width of the trunk.
        mids: One per block: its output width for `"mlp"`, its inner width for `"resnet"`.
        heads: Members of the ensemble.
        dropout: Inside the blocks.
        skip: Whether a linear model of the scaled numbers and one-hot categories is added to each member's outputs; training
            starts from that model, solved.
    """

    family: str = "table"
    numeric: int
    plain: int = 0
    cardinalities: tuple[int, ...] = ()
    one_hot: bool = False
    frequency: float = 1.0
    embedding: Literal["linear", "piecewise", "periodic"] = "linear"
    bins: int = 0
    embedded: int = 0
    kind: Literal["mlp", "resnet"] = "mlp"
    width: int
    mids: tuple[int, ...]
    heads: int = 1
    dropout: float = 0.0
    skip: bool = False

    def describe(self) -> str:
        """Blocks, embedding and heads."""
        skip = ", linear skip" if self.skip else ""
        return (
            f"{NAMES[self.kind]} {'-'.join(map(str, self.mids))}, {self.embedding} embedding, {many(self.heads, 'head')}{skip}"
        )

    def diagram(self) -> tuple[Box, ...]:
        """The row, every block, the heads."""
        columns = self.numeric + len(self.cardinalities)
        entry = f"{self.numeric} numbers ({self.embedding}), {len(self.cardinalities)} categories"
        blocks = [(f"{self.kind}", mid, f"{self.kind} block of {mid}", number) for number, mid in enumerate(self.mids)]
        heads = f"{self.heads} heads, {self.outputs} outputs each"
        return (("row", columns, entry, -1), *blocks, (f"x{self.heads}", self.outputs, heads, -1))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the embeddings, the trunk and the last layers."""
        size = self.numeric * (self.embedded or max(1, self.bins)) + sum(self.cardinalities)
        total = self.numeric * self.bins * self.embedded
        inputs = size
        for mid in self.mids:
            total += self.width * mid * 2 if self.kind == "resnet" else inputs * mid
            inputs = mid
        total += size * self.width if self.kind == "resnet" else 0
        total = total * self.heads + self.heads * (self.width if self.kind == "resnet" else inputs) * self.outputs
        return total + (self.numeric + sum(self.cardinalities)) * self.outputs * self.skip

    @property
    def widths(self) -> Widths:
        """The widths of the trunk (of a ResNet) and of the blocks."""
        trunk = {"width": self.width} if self.kind == "resnet" else {}
        return trunk | {f"mids.{b}": mid for b, mid in enumerate(self.mids)}

    def with_widths(self, widths: Widths) -> TableRecipe:
        """The same network with some widths replaced."""
        mids = tuple(widths.get(f"mids.{b}", mid) for b, mid in enumerate(self.mids))
        return self.replace(width=widths.get("width", self.width) if self.kind == "resnet" else mids[-1], mids=mids)

    @property
    def depths(self) -> tuple[int, ...]:
        """The number of blocks of the only stage."""
        return (len(self.mids),)

    def keep_blocks(self, blocks_kept: tuple[tuple[int, ...], ...]) -> TableRecipe:
        """The same network with only these blocks; an MLP must keep all, as each feeds the next."""
        if self.kind == "mlp" and len(blocks_kept[0]) != len(self.mids):
            raise ConfigError("the blocks of an MLP feed one another; none can be removed", where="shrink")
        return self.replace(mids=tuple(self.mids[b] for b in blocks_kept[0]))


@dataclass(frozen=True, kw_only=True)
class LinearTableRecipe(LinearRecipe):
    """A linear model of the scaled numbers and of one-hot categories.

    Args:
        numeric: Numeric features.
        cardinalities: Number of codes of each categorical column.
    """

    family: str = "linear_table"
    numeric: int
    cardinalities: tuple[int, ...] = ()
