"""The layers of a network as a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lepton_automl.layers import SequentialRecipe, layer_names

if TYPE_CHECKING:
    from .model import Model


def summary(model: Model) -> str:
    """One line for each layer: its name, what it does, the shape of its output, and its weights.

    Args:
        model: The network; shapes are shown once the shape of its inputs is known.
    """
    try:
        recipe = model.recipe
    except ValueError:
        lines = [(name, layer.describe(), "?", "") for name, layer in zip(layer_names(model.layers), model.layers, strict=True)]
        return _table(lines) + "\nShapes are known after the first fit, or with Model(input_shape=...)."
    lines, total = [], 0
    shapes = recipe.shapes
    for number, (layer, name) in enumerate(zip(recipe.layers, recipe.names, strict=True)):
        weights = _weights(recipe, number)
        total += weights
        lines.append((name, layer.describe(), _shape(shapes[number + 1]), f"{weights:,}" if weights else ""))
    weights = (shapes[-1][0] + 1) * recipe.outputs
    lines.append((layer_names(model.layers)[-1], model.layers[-1].describe(), f"{recipe.outputs}", f"{weights:,}"))
    return f"{_table(lines)}\n{total + weights:,} weights, {recipe.macs:,} multiply-accumulates for each row"


def _weights(recipe: SequentialRecipe, number: int) -> int:
    layer, before = recipe.layers[number], recipe.shapes[number]
    if layer.kind == "conv2d":
        return layer.width * (before[0] * layer.size[0] * layer.size[1] + 1)
    if layer.kind == "dense":
        return layer.width * (before[0] + 1)
    return 2 * before[0] if layer.kind == "batch_norm" else 0


def _shape(shape: tuple[int, ...]) -> str:
    """Channels last, as people give their rows."""
    return " x ".join(map(str, (*shape[1:], shape[0])))


def _table(lines: list[tuple[str, str, str, str]]) -> str:
    rows = [("layer", "", "output", "weights"), *lines]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        f"{name:<{widths[0]}}  {what:<{widths[1]}}  {shape:>{widths[2]}}  {weights:>{widths[3]}}".rstrip()
        for name, what, shape, weights in rows
    )
