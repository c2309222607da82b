"""The network as a value: every width, depth and kernel written out, and the one move, which is to make it smaller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ._json import Value
from .errors import ConfigError

Widths = dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Recipe(Value):
    """A LeptonNet, described whole. Two families: `ConvRecipe` for images, `TableRecipe` for tables; and `CustomRecipe`.

    A *width* is a number of channels that the whole network agrees on; `widths` names each by its path in the recipe
    (`"stages.1.blocks.0.mid"`). Cutting channels is asking for smaller widths.
    """

    family: str
    outputs: int

    @property
    def widths(self) -> Widths:
        """Every width that may be cut, by its path."""
        raise NotImplementedError

    def with_widths(self, widths: Widths) -> Recipe:
        """The same network with some widths replaced."""
        raise NotImplementedError

    def scale(self, share: float, multiple: int = 8) -> Recipe:
        """The same network with every width multiplied by `share`.

        Widths are rounded to `multiple`, or to a quarter of themselves where that is finer; none falls to zero.

        Args:
            share: Above 0; 1 returns the recipe unchanged.
            multiple: What the target likes channel counts to divide by.
        """
        if share == 1:
            return self
        return self.with_widths({path: narrowed(width, share, multiple) for path, width in self.widths.items()})

    @property
    def macs(self) -> int:
        """About how many multiply-accumulates one example takes, a hint for guessing speed; 0 where nobody can say."""
        return 0

    def contains(self, smaller: Recipe) -> bool:
        """Whether `smaller` can be cut out of this one: same kind, no width larger, no block added."""
        try:
            shape = self.keep_blocks(self.kept_blocks(smaller))
        except ConfigError:
            return False
        own = shape.widths
        return shape.with_widths(smaller.widths) == smaller and all(
            own[path] >= width for path, width in smaller.widths.items()
        )

    def kept_blocks(self, smaller: Recipe) -> tuple[tuple[int, ...], ...]:
        """For each stage, which blocks `smaller` keeps if none has to be chosen: its first ones.

        Raises:
            ConfigError: `smaller` has another number of stages, or more blocks.
        """
        mine, theirs = self.depths, smaller.depths
        if type(self) is not type(smaller) or len(mine) != len(theirs) or any(a < b for a, b in zip(mine, theirs, strict=True)):
            raise ConfigError(f"a network of depths {theirs} cannot be cut out of one of depths {mine}", where="shrink")
        return tuple(tuple(range(depth)) for depth in theirs)

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks in each stage."""
        raise NotImplementedError

    def keep_blocks(self, kept: tuple[tuple[int, ...], ...]) -> Recipe:
        """The same network with only these blocks of each stage."""
        raise NotImplementedError


def narrowed(width: int, share: float, multiple: int) -> int:
    """A scaled width; never above the original, so that a scaled recipe can always be cut out of its parent."""
    step = max(1, min(multiple, width // 4))
    return min(width, max(step, round(width * share / step) * step))


@dataclass(frozen=True, kw_only=True)
class Block(Value):
    """One block of a convolutional network.

    Args:
        kind: `"residual"`: two k x k convolutions, `mid` channels between, added to what came in. `"inverted"`: 1x1 to
            `mid`, depthwise k x k, 1x1 back, added. `"plain"`: one k x k convolution, nothing added.
        mid: Channels inside the block. A plain block has no inside: it gives `mid` channels where another plain block
            follows in its stage, else the stage's width, and then `mid` is 0.
        kernel: Side of the (depthwise) kernels: 3, 5 or 7.
        squeeze: Channels of the squeeze-excite bottleneck; 0 for none.
    """

    kind: Literal["residual", "inverted", "plain"]
    mid: int = 0
    kernel: int = 3
    squeeze: int = 0

    def macs(self, inputs: int, outputs: int) -> int:
        """Multiply-accumulates of one pixel of what it gives."""
        area = self.kernel**2
        if self.kind == "plain":
            return inputs * outputs * area
        if self.kind == "residual":
            return (inputs + outputs) * self.mid * area
        return (inputs + outputs + area) * self.mid


@dataclass(frozen=True, kw_only=True)
class Stage(Value):
    """Blocks at one resolution; the first block has the stride."""

    width: int
    stride: int
    blocks: tuple[Block, ...]

    def gives(self, number: int) -> int:
        """How many channels a block of this stage gives."""
        block = self.blocks[number]
        return block.mid if block.kind == "plain" and block.mid else self.width


@dataclass(frozen=True, kw_only=True)
class ConvRecipe(Recipe):
    """A LeptonNet for images: stem, stages of blocks, average pooling, one linear layer.

    Args:
        image: (channels, height, width) of an input.
        stem: Channels of the first convolution.
        stem_kernel: Its kernel.
        stem_stride: Its stride.
        stages: From fine to coarse.
        pool: Side of the map that the last layer sees: 1 (global average) or 2 (averages of the four quarters); never
            more than the last stage's own side.
        dropout: Before the last layer.
        pixel_mean: Mean of each channel, in 0 to 255; a network takes raw pixels and normalises them itself.
        pixel_std: Standard deviation of each.
    """

    family: str = "conv"
    image: tuple[int, int, int]
    pixel_mean: tuple[float, ...] = ()
    pixel_std: tuple[float, ...] = ()
    stem: int
    stem_kernel: int = 3
    stem_stride: int = 1
    stages: tuple[Stage, ...]
    pool: int = 1
    dropout: float = 0.0

    @property
    def last_map(self) -> tuple[int, int]:
        """Height and width of the map that the last stage gives."""
        _, height, width = self.image
        for stride in (self.stem_stride, *(stage.stride for stage in self.stages)):
            height, width = -(-height // stride), -(-width // stride)
        return height, width

    @property
    def macs(self) -> int:
        """Of all convolutions and the last layer."""
        channels, height, width = self.image
        pixels = height * width // self.stem_stride**2
        total, inputs = pixels * channels * self.stem * self.stem_kernel**2, self.stem
        for stage in self.stages:
            pixels //= stage.stride**2
            for number, block in enumerate(stage.blocks):
                outputs = stage.gives(number)
                total += pixels * block.macs(inputs, outputs)
                inputs = outputs
        return int(total + inputs * self.pool**2 * self.outputs)

    @property
    def widths(self) -> Widths:
        """Stem, stage widths, block mids and squeezes."""
        found = {"stem": self.stem}
        for s, stage in enumerate(self.stages):
            found[f"stages.{s}.width"] = stage.width
            for b, block in enumerate(stage.blocks):
                if block.mid:
                    found[f"stages.{s}.blocks.{b}.mid"] = block.mid
                if block.squeeze:
                    found[f"stages.{s}.blocks.{b}.squeeze"] = block.squeeze
        return found

    def with_widths(self, widths: Widths) -> ConvRecipe:
        """The same network with some widths replaced."""
        stages = tuple(
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
            for s, stage in enumerate(self.stages)
        )
        return self.replace(stem=widths.get("stem", self.stem), stages=stages)

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks in each stage."""
        return tuple(len(stage.blocks) for stage in self.stages)

    def keep_blocks(self, kept: tuple[tuple[int, ...], ...]) -> ConvRecipe:
        """The same network with only these blocks; a stage's first block carries its stride and must stay."""
        if any(0 not in blocks for blocks in kept):
            raise ConfigError("a stage's first block carries its stride and cannot be removed", where="shrink")
        stages = tuple(
            stage.replace(blocks=tuple(stage.blocks[b] for b in blocks))
            for stage, blocks in zip(self.stages, kept, strict=True)
        )
        return self.replace(stages=stages)


@dataclass(frozen=True, kw_only=True)
class TableRecipe(Recipe):
    """A LeptonNet for tables: embeddings, residual or plain blocks, an ensemble of heads over one trunk.

    The parameter-efficient ensemble follows TabM-mini (Gorishniy et al., TabM, ICLR 2025): each of `heads` members
    scales the embedded row by its own vector, the trunk is shared, each member has its own last layer.

    Args:
        numeric: Numeric columns.
        plain: How many of them, the last ones, enter as they are, whatever the embedding.
        cardinalities: Codes of each categorical column, the unknown one included.
        one_hot: Whether a category enters as a one-hot vector, not as a learnt one.
        frequency: Spread of the first frequencies of the periodic embedding, in turns over half the scaled range.
        embedding: How a number becomes a vector: `"linear"` (itself), `"piecewise"` (piecewise-linear encoding over
            `bins` even bins of the quantile-scaled value) or `"periodic"` (sines and cosines of learnt frequencies).
            (Gorishniy et al., On Embeddings for Numerical Features, NeurIPS 2022.)
        bins: Bins, or frequencies, of one number.
        embedded: Size of the vector of one number, for `"piecewise"` and `"periodic"`; 0 leaves the encoding as it is.
        kind: `"mlp"` blocks change the width freely; `"resnet"` blocks add to a trunk of one width.
        width: Width of the trunk.
        mids: One a block: its output width for `"mlp"`, its inner width for `"resnet"`.
        heads: Members of the ensemble.
        dropout: Inside the blocks.
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

    @property
    def macs(self) -> int:
        """Of the embeddings, the trunk and the last layers."""
        size = self.numeric * (self.embedded or max(1, self.bins)) + sum(self.cardinalities)
        total = self.numeric * self.bins * self.embedded
        inputs = size
        for mid in self.mids:
            total += self.width * mid * 2 if self.kind == "resnet" else inputs * mid
            inputs = mid
        total += size * self.width if self.kind == "resnet" else 0
        return total * self.heads + self.heads * (self.width if self.kind == "resnet" else inputs) * self.outputs

    @property
    def widths(self) -> Widths:
        """The trunk (of a resnet) and the blocks' own widths."""
        trunk = {"width": self.width} if self.kind == "resnet" else {}
        return trunk | {f"mids.{b}": mid for b, mid in enumerate(self.mids)}

    def with_widths(self, widths: Widths) -> TableRecipe:
        """The same network with some widths replaced."""
        mids = tuple(widths.get(f"mids.{b}", mid) for b, mid in enumerate(self.mids))
        return self.replace(width=widths.get("width", self.width) if self.kind == "resnet" else mids[-1], mids=mids)

    @property
    def depths(self) -> tuple[int, ...]:
        """One stage of so many blocks."""
        return (len(self.mids),)

    def keep_blocks(self, kept: tuple[tuple[int, ...], ...]) -> TableRecipe:
        """The same network with only these blocks; a plain network can lose none, as each feeds the next."""
        if self.kind == "mlp" and len(kept[0]) != len(self.mids):
            raise ConfigError("a plain network's blocks feed one another; none can be removed", where="shrink")
        return self.replace(mids=tuple(self.mids[b] for b in kept[0]))


@dataclass(frozen=True, kw_only=True)
class CustomRecipe(Recipe):
    """A person's own network, told by how it is made: its widths are its factory's affair.

    Args:
        factory: What makes it, `"module:name"`.
        config: What the factory is handed.
        ratio: Share of the channels that was cut, evenly.
        multiple: What widths are rounded to in the cut.
    """

    family: str = "own"
    factory: str
    config: dict[str, Any]
    ratio: float = 0.0
    multiple: int = 8

    @property
    def widths(self) -> Widths:
        """None that are known by name."""
        return {}

    def with_widths(self, widths: Widths) -> CustomRecipe:
        """The same network: it has no width to replace."""
        del widths
        return self

    def scale(self, share: float, multiple: int = 8) -> CustomRecipe:
        """The same network with so many channels cut."""
        return self if share == 1 else self.replace(ratio=round(1 - share, 9), multiple=multiple)

    def contains(self, smaller: Recipe) -> bool:
        """Whether `smaller` is this network, as it is or cut; what was cut once is not cut again."""
        whole = self.replace(ratio=0.0)
        return self == smaller or (self == whole and isinstance(smaller, CustomRecipe) and smaller.replace(ratio=0.0) == whole)

    @property
    def depths(self) -> tuple[int, ...]:
        """None that are known."""
        return ()

    def keep_blocks(self, kept: tuple[tuple[int, ...], ...]) -> CustomRecipe:
        """The same network: it has no block to remove."""
        del kept
        return self


FAMILIES: dict[str, type[Recipe]] = {"conv": ConvRecipe, "table": TableRecipe, "own": CustomRecipe}


def recipe_from_json(data: dict[str, Any]) -> Recipe:
    """The recipe of whichever family the JSON is of."""
    family = data.get("family", "")
    if family not in FAMILIES:
        raise ConfigError(f"there is no network family {family!r}", where="recipe", fix=f"Known: {', '.join(FAMILIES)}.")
    return FAMILIES[family].from_json(data)


def describe(recipe: Recipe) -> str:
    """One line for people."""
    if isinstance(recipe, ConvRecipe):
        # A stage's last block tells its kind: the first may be there for the stride alone.
        stages = ", ".join(f"{s.width}x{len(s.blocks)} {s.blocks[-1].kind} k{s.blocks[-1].kernel}" for s in recipe.stages)
        return f"conv {recipe.stem} | {stages}"
    if isinstance(recipe, TableRecipe):
        return f"{recipe.kind} {'-'.join(map(str, recipe.mids))} {recipe.embedding} x{recipe.heads} heads"
    if isinstance(recipe, CustomRecipe):
        told = ", ".join(
            f"{name}={setting:.3g}" if isinstance(setting, float) else f"{name}={setting}"
            for name, setting in recipe.config.items()
        )
        cut = f", {recipe.ratio:.0%} cut" if recipe.ratio else ""
        return f"{recipe.factory.rpartition(':')[2]}({told}){cut}"
    return recipe.family
