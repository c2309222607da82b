"""Draw the network of a recipe: one box per layer or block, its height by the number of channels."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from lepton_automl.errors import LeptonError
from lepton_automl.recipe import Box, recipe_from_json
from lepton_automl.trial import Trial

# By Okabe and Ito (Color Universal Design, 2008), one per stage, repeating.
STAGES = ("#56B4E9", "#0072B2", "#009E73", "#E69F00", "#CC79A7")
ENDS = "#808080"
WIDE, GAP, TALL = 30, 8, 92  # pixels: width of a box, space between boxes, height of the tallest box


def network_svg(recipe: dict[str, Any]) -> str:
    """The diagram as SVG without scripts; empty for a network whose structure is unknown.

    Args:
        recipe: The recipe as JSON.
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
    except (LeptonError, TypeError, KeyError):  # the family is missing or not installed
        return ()


def shape_of(trial: Trial) -> dict[str, Any]:
    """The final recipe of a trial, or the proposed one while it runs."""
    return (trial.result and trial.result.recipe) or trial.proposed.recipe
