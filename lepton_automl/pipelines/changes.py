"""What could be made smaller in a network, one thing at a time, and what each should gain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lepton_automl.errors import ConfigError
from lepton_automl.recipe import CustomRecipe, Recipe, narrowed
from lepton_automl.roofline import CallTime, Layer, LayerTime, Work, predicted_ms

SHARES = (0.75, 0.5)  # to which a width is narrowed
MULTIPLE = 8  # to which widths are rounded, as in a search
VECTOR = 16  # numbers that the widest vectors hold: whole ones are also tried


@dataclass(frozen=True)
class SingleChange:
    """A network with one thing made smaller.

    Args:
        what: In words.
        recipe: The smaller network.
        kept: For each stage, which blocks are left.
    """

    what: str
    recipe: Recipe
    kept: tuple[tuple[int, ...], ...]


def single_changes(recipe: Recipe) -> list[SingleChange]:
    """Each width narrowed by a quarter, by a half, and to whole vectors, and each block left out that can be.

    There are none for a person's own network, whose widths have no names.
    """
    return [] if isinstance(recipe, CustomRecipe) else [*_narrower(recipe), *_shallower(recipe)]


def _narrower(recipe: Recipe) -> Iterator[SingleChange]:
    every = tuple(tuple(range(depth)) for depth in recipe.depths)
    for path, width in recipe.widths.items():
        less_wide = {narrowed(width, share, MULTIPLE) for share in SHARES} | {(width - 1) // VECTOR * VECTOR}
        for less in sorted(less_wide - {0, width}, reverse=True):
            yield SingleChange(f"narrowing {path} from {width} to {less}", recipe.with_widths({path: less}), every)


def _shallower(recipe: Recipe) -> Iterator[SingleChange]:
    for stage, depth in enumerate(recipe.depths):
        for block in range(depth if depth > 1 else 0):
            kept = tuple(tuple(b for b in range(count) if (s, b) != (stage, block)) for s, count in enumerate(recipe.depths))
            try:
                yield SingleChange(f"removing block {block} of stage {stage}", recipe.keep_blocks(kept), kept)
            except ConfigError:  # it carries a stride, or the next block needs what it gives
                continue


def old_name(layer: str, kept: tuple[tuple[int, ...], ...], lists: tuple[str, ...]) -> str:
    """A layer of the smaller network as it was called before blocks were removed."""
    for blocks, within in zip(kept, lists, strict=True):
        number, dot, rest = layer.removeprefix(f"{within}.").partition(".")
        if layer.startswith(f"{within}.") and number.isdigit():
            return f"{within}.{blocks[int(number)]}{dot}{rest}"
    return layer


def predicted_gain(layers: Sequence[Layer], profile: CallTime) -> float | None:
    """Milliseconds that a changed network should save.

    Args:
        layers: Its layers, by the unchanged network's names; one that is missing was removed.
        profile: The unchanged network as it was measured.

    Returns:
        None where nobody can say: the runtime would take kernels for a layer whose pace was not measured. So it does where
        channels no longer fill whole vectors; narrower is then often slower.
    """
    known = {layer.layer: layer for layer in profile.layers}
    if any(layer.layer in known and layer.form != known[layer.layer].form for layer in layers):
        return None
    after = sum(_expected(known.get(layer.layer), layer.work, profile.node_ms) for layer in layers)
    return sum(layer.ms for layer in profile.layers) - after


def _expected(layer: LayerTime | None, work: Work, node_ms: float) -> float:
    """A layer that was not there before (the runtime changes a layout in another place) costs its kernels."""
    return node_ms * work.nodes if layer is None else predicted_ms(layer, work, node_ms)
