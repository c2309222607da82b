"""The network as a value: every width, depth and kernel, and the one operation, which is to make it smaller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from lepton_automl._json import Value
from lepton_automl.errors import ConfigError
from lepton_automl.plugins import instance

Widths = dict[str, int]
CUSTOM = "own"  # the family of user-defined networks, which a factory makes
Box = tuple[str, int, str, int]  # of a diagram: its name, channels, description, and stage (-1 for the ends)


@dataclass(frozen=True, kw_only=True)
class Recipe(Value):
    """The complete description of a network: `ConvRecipe` for images, `TableRecipe` for tables, and `CustomRecipe`.

    A *width* is a number of channels that the whole network agrees on; `widths` names each by its path in the recipe
    (`"stages.1.blocks.0.mid"`). To prune channels is to request smaller widths.
    """

    family: str
    outputs: int

    @property
    def widths(self) -> Widths:
        """Every width that may be pruned, by its path."""
        raise NotImplementedError

    def with_widths(self, widths: Widths) -> Recipe:
        """The same network with some widths replaced."""
        raise NotImplementedError

    def scale(self, share: float, multiple: int = 8) -> Recipe:
        """The same network with every width multiplied by `share`.

        Widths are rounded to `multiple`, or to a quarter of themselves if that is finer; none becomes zero.

        Args:
            share: Above 0; 1 returns the recipe unchanged.
            multiple: Channel counts that are multiples of this suit the device.
        """
        if share == 1:
            return self
        return self.with_widths({path: narrowed(width, share, multiple) for path, width in self.widths.items()})

    def describe(self) -> str:
        """A one-line description."""
        return self.family

    def diagram(self) -> tuple[Box, ...]:
        """Layers and blocks from the input to the output; empty if they are unknown, as for user-defined networks."""
        return ()

    @property
    def macs(self) -> int:
        """The approximate number of multiply-accumulates for one example, from which speed can be guessed; 0 if unknown."""
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
        """For each stage, which blocks `smaller` keeps by default: the first ones.

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

    def keep_blocks(self, blocks_kept: tuple[tuple[int, ...], ...]) -> Recipe:
        """The same network with only these blocks of each stage."""
        raise NotImplementedError


def narrowed(width: int, share: float, multiple: int) -> int:
    """A scaled width; never above the original, so that a scaled recipe can always be cut out of its parent."""
    step = max(1, min(multiple, width // 4))
    return min(width, max(step, round(width * share / step) * step))


@dataclass(frozen=True, kw_only=True)
class FixedRecipe(Recipe):
    """A network without widths or blocks that could be removed, as far as is known."""

    @property
    def widths(self) -> Widths:
        """Empty."""
        return {}

    def with_widths(self, widths: Widths) -> Self:
        """The same network: it has no width to replace."""
        del widths
        return self

    @property
    def depths(self) -> tuple[int, ...]:
        """Empty."""
        return ()

    def keep_blocks(self, blocks_kept: tuple[tuple[int, ...], ...]) -> Self:
        """The same network: it has no block to remove."""
        del blocks_kept
        return self


@dataclass(frozen=True, kw_only=True)
class LinearRecipe(FixedRecipe):
    """A linear model.

    Args:
        inputs: Features that its one layer gets.
    """

    inputs: int

    def describe(self) -> str:
        """The number of its inputs."""
        return f"linear model of {self.inputs} inputs"

    def diagram(self) -> tuple[Box, ...]:
        """The features and the outputs."""
        return (("features", self.inputs, f"{self.inputs} features", -1), ("outputs", self.outputs, "one linear layer", -1))

    @property
    def macs(self) -> int:
        """One for each weight."""
        return self.inputs * self.outputs


@dataclass(frozen=True, kw_only=True)
class CustomRecipe(FixedRecipe):
    """A user-defined network, described by how it is made; only its factory knows its widths.

    Args:
        factory: Its factory, `"module:name"`.
        config: What the factory receives.
        ratio: Share of the channels that is pruned, uniformly.
        multiple: Pruning rounds widths to multiples of this.
    """

    family: str = CUSTOM
    factory: str
    config: dict[str, Any]
    ratio: float = 0.0
    multiple: int = 8

    def scale(self, share: float, multiple: int = 8) -> CustomRecipe:
        """The same network pruned to this share of its channels."""
        return self if share == 1 else self.replace(ratio=round(1 - share, 9), multiple=multiple)

    def contains(self, smaller: Recipe) -> bool:
        """Whether `smaller` is this network, unchanged or pruned; a pruned network is not pruned again."""
        whole = self.replace(ratio=0.0)
        return self == smaller or (self == whole and isinstance(smaller, CustomRecipe) and smaller.replace(ratio=0.0) == whole)

    def describe(self) -> str:
        """The factory and its settings."""
        settings = ", ".join(
            f"{name}={setting:.3g}" if isinstance(setting, float) else f"{name}={setting}"
            for name, setting in self.config.items()
        )
        cut = f", {self.ratio:.0%} cut" if self.ratio else ""
        return f"{self.factory.rpartition(':')[2]}({settings}){cut}"


def recipe_from_json(data: dict[str, Any]) -> Recipe:
    """The recipe from its JSON, which names its family.

    Raises:
        ConfigError: Its family is not installed.
    """
    family = str(data.get("family", ""))
    if family == CUSTOM:
        return CustomRecipe.from_json(data)
    recipe: Recipe = instance("families", family).Recipe.from_json(data)
    return recipe


def describe(recipe: Recipe) -> str:
    """A one-line description."""
    return recipe.describe()
