"""A recipe as a picture of its network: one box a layer or block, as tall as it has channels."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from lepton_automl.errors import LeptonError
from lepton_automl.recipe import Box, recipe_from_json
from lepton_automl.state import Trial

# Of Okabe and Ito (Color Universal Design, 2008), one a stage, in turns.
STAGES = ("#56B4E9", "#0072B2", "#009E73", "#E69F00", "#CC79A7")
ENDS = "#808080"
WIDE, GAP, TALL = 30, 8, 92  # pixels: of a box, between boxes, of the picture's boxes


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
    name, channels, title, stage = box
    colour = ENDS if stage < 0 else STAGES[stage % len(STAGES)]
    high = 12 + (TALL - 12) * math.log1p(channels) / math.log1p(most)
    left, top = GAP + number * (WIDE + GAP), (TALL - high) / 2 + 12
    return (
        f'<g><title>{escape(title)}</title><rect x="{left}" y="{top:.1f}" width="{WIDE}" height="{high:.1f}" rx="3" '
        f'fill="{colour}"/><text x="{left + WIDE / 2}" y="{top - 3:.1f}">{channels}</text>'
        f'<text x="{left + WIDE / 2}" y="{TALL + 26}">{escape(name)}</text></g>'
    )


def _boxes(data: dict[str, Any]) -> tuple[Box, ...]:
    try:
        return recipe_from_json(data).diagram()
    except (LeptonError, TypeError, KeyError):  # of a family that is not installed, or of none
        return ()


def shape_of(trial: Trial) -> dict[str, Any]:
    """The recipe of a trial, as it ended or as it was proposed."""
    return (trial.result and trial.result.recipe) or trial.proposed.recipe
