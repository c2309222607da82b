"""Single changes that make a network smaller, and the gain predicted for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lepton_automl.errors import ConfigError
from lepton_automl.recipe import CustomRecipe, Recipe, narrowed
from lepton_automl.roofline import CallTime, Layer, LayerTime, Work, predicted_ms

SHARES = (0.75, 0.5)  # shares of a width to try
MULTIPLE = 8  # widths are rounded to multiples of this, as in a search
VECTOR = 16  # elements of the widest vectors; widths of full vectors are also tried


@dataclass(frozen=True)
class SingleChange:
    """A network with one change.

    Args:
        what: The change in words.
        recipe: The changed network.
        blocks_kept: The remaining blocks of each stage.
    """

    what: str
    recipe: Recipe
    blocks_kept: tuple[tuple[int, ...], ...]


def single_changes(recipe: Recipe) -> list[SingleChange]:
    """Each width reduced by a quarter, by a half, and to full vectors, and each removable block removed.

    Custom networks have none, as their widths have no names.
    """
    return [] if isinstance(recipe, CustomRecipe) else [*_narrower(recipe), *_shallower(recipe)]


def _narrower(recipe: Recipe) -> Iterator[SingleChange]:
    all_blocks = tuple(tuple(range(depth)) for depth in recipe.depths)
    for path, width in recipe.widths.items():
        less_wide = {narrowed(width, share, MULTIPLE) for share in SHARES} | {(width - 1) // VECTOR * VECTOR}
        for less in sorted(less_wide - {0, width}, reverse=True):
            yield SingleChange(f"narrowing {path} from {width} to {less}", recipe.with_widths({path: less}), all_blocks)


def _shallower(recipe: Recipe) -> Iterator[SingleChange]:
    for stage, depth in enumerate(recipe.depths):
        for block in range(depth if depth > 1 else 0):
            blocks = tuple(tuple(b for b in range(count) if (s, b) != (stage, block)) for s, count in enumerate(recipe.depths))
            try:
                yield SingleChange(f"removing block {block} of stage {stage}", recipe.keep_blocks(blocks), blocks)
            except ConfigError:  # it has a stride, or the next block needs its output
                continue


def old_name(layer: str, blocks_kept: tuple[tuple[int, ...], ...], lists: tuple[str, ...]) -> str:
    """The name that a layer of the smaller network had before blocks were removed."""
    for blocks, within in zip(blocks_kept, lists, strict=True):
        number, dot, rest = layer.removeprefix(f"{within}.").partition(".")
        if layer.startswith(f"{within}.") and number.isdigit():
            return f"{within}.{blocks[int(number)]}{dot}{rest}"
    return layer


def predicted_gain(layers: Sequence[Layer], profile: CallTime) -> float | None:
    """Milliseconds that a changed network is predicted to save.

    Args:
        layers: Its layers, by the names in the unchanged network; a missing one was removed.
        profile: The measured profile of the unchanged network.

    Returns:
        None if no prediction is possible, as the runtime would use kernels that were not measured. This happens when channels no
        longer fill full vectors; the narrower layer is then often slower.
    """
    measured = {layer.layer: layer for layer in profile.layers}
    if any(layer.layer in measured and layer.form != measured[layer.layer].form for layer in layers):
        return None
    after = sum(_layer_ms(measured.get(layer.layer), layer.work, profile.node_ms) for layer in layers)
    return sum(layer.ms for layer in profile.layers) - after


def _layer_ms(layer: LayerTime | None, work: Work, node_ms: float) -> float:
    """The predicted time of a layer; a new one (the runtime converts a layout elsewhere) costs its kernel calls."""
    return node_ms * work.nodes if layer is None else predicted_ms(layer, work, node_ms)
