"""A recipe as a picture of its network: one box a layer or block, as tall as it has channels."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from lepton_automl.errors import LeptonError
from lepton_automl.recipe import ConvRecipe, TableRecipe, recipe_from_json
from lepton_automl.state import Trial

# Of Okabe and Ito (Color Universal Design, 2008), one a stage, in turns.
STAGES = ("#56B4E9", "#0072B2", "#009E73", "#E69F00", "#CC79A7")
ENDS = "#808080"
WIDE, GAP, TALL = 30, 8, 92  # pixels: of a box, between boxes, of the picture's boxes

Box = tuple[str, int, str, str]  # its name, its channels, what it is in words, its colour


def network_svg(recipe: dict[str, Any]) -> str:
    """The picture, as SVG without scripts; empty for a network of which only its maker knows the inside.

    Args:
        recipe: As JSON.
    """
    boxes = _boxes(recipe)
    if not boxes:
        return ""
    most = max(channels for _, channels, _, _ in boxes)
    wide = len(boxes) * (WIDE + GAP) + GAP
    drawn = "".join(_box(number, box, most) for number, box in enumerate(boxes))
    return (
        f'<svg role="img" aria-label="the network" viewBox="0 0 {wide} {TALL + 34}" '
        f'style="width:min(100%,{wide}px);max-height:150px" font-size="9" text-anchor="middle">'
        f'<line x1="0" x2="{wide}" y1="{TALL / 2 + 12}" y2="{TALL / 2 + 12}" stroke="{ENDS}"/>{drawn}</svg>'
    )


def _box(number: int, box: Box, most: int) -> str:
    name, channels, said, colour = box
    high = 12 + (TALL - 12) * math.log1p(channels) / math.log1p(most)
    left, top = GAP + number * (WIDE + GAP), (TALL - high) / 2 + 12
    return (
        f'<g><title>{escape(said)}</title><rect x="{left}" y="{top:.1f}" width="{WIDE}" height="{high:.1f}" rx="3" '
        f'fill="{colour}"/><text x="{left + WIDE / 2}" y="{top - 3:.1f}">{channels}</text>'
        f'<text x="{left + WIDE / 2}" y="{TALL + 26}">{escape(name)}</text></g>'
    )


def _boxes(data: dict[str, Any]) -> list[Box]:
    try:
        recipe = recipe_from_json(data)
    except (LeptonError, TypeError, KeyError):  # a plug-in's own family, or none
        return []
    if isinstance(recipe, ConvRecipe):
        return _conv(recipe)
    return _table(recipe) if isinstance(recipe, TableRecipe) else []


def _conv(recipe: ConvRecipe) -> list[Box]:
    channels, height, width = recipe.image
    found: list[Box] = [
        ("image", channels, f"image of {height} x {width}, {channels} channels", ENDS),
        (
            "stem",
            recipe.stem,
            f"stem: convolution {recipe.stem_kernel} x {recipe.stem_kernel}, stride {recipe.stem_stride}",
            ENDS,
        ),
    ]
    for number, stage in enumerate(recipe.stages):
        for at, block in enumerate(stage.blocks):
            stride = f", stride {stage.stride}" * (at == 0 and stage.stride > 1)
            squeeze = f", squeeze-excite {block.squeeze}" * bool(block.squeeze)
            said = f"{block.kind} block, kernel {block.kernel}, {block.mid} channels inside{stride}{squeeze}"
            found.append((f"{block.kind[:3]} {block.kernel}", stage.gives(at), said, STAGES[number % len(STAGES)]))
    return [*found, ("out", recipe.outputs, f"{recipe.outputs} outputs", ENDS)]


def _table(recipe: TableRecipe) -> list[Box]:
    columns = recipe.numeric + len(recipe.cardinalities)
    entry = f"{recipe.numeric} numbers ({recipe.embedding}), {len(recipe.cardinalities)} categories"
    blocks: list[Box] = [
        (f"{recipe.kind}", mid, f"{recipe.kind} block of {mid}", STAGES[number % len(STAGES)])
        for number, mid in enumerate(recipe.mids)
    ]
    heads = f"{recipe.heads} heads, {recipe.outputs} outputs each"
    return [("row", columns, entry, ENDS), *blocks, (f"x{recipe.heads}", recipe.outputs, heads, ENDS)]


def shape_of(trial: Trial) -> dict[str, Any]:
    """The recipe of a trial, as it ended or as it was proposed."""
    return (trial.result and trial.result.recipe) or trial.proposed.recipe
