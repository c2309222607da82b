"""Lines on the front at the scores of what networks are compared with, and their names, which never overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lepton_automl.reference_scores import CONSTANT, TREES
from lepton_automl.state import StudyState

from . import narrative
from .front_axes import ErrorAxis, error_axis
from .labels import label
from .theme import GREEN, GREY, linear_ends

if TYPE_CHECKING:
    import plotly.graph_objects as go

LINES = {TREES: ("boosted trees", GREEN, "dash"), CONSTANT: ("constant answer", GREY, "dot")}  # name, colour and dash
NAME = "reference"  # marks the annotations that are drawn here
SMALL = 11  # pixels: the font of the names
HIGH = 16.0  # pixels: the height of a name
MIDDLE = 0.5  # of the height of the plot
ROUNDING = 1e-6  # pixels
SHORTEST = 180.0  # pixels: height of the smallest plot, on a narrow page whose legend takes several rows


def add_reference_lines(figure: go.Figure, state: StudyState, axis: ErrorAxis, width: tuple[float, float]) -> None:
    """Add a trace for each reference, without points if it was not scored.

    Args:
        figure: The front.
        state: The study.
        axis: The vertical axis.
        width: Where the lines begin and end, on the horizontal axis.
    """
    for reference, (name, colour, dash) in LINES.items():
        known = next((one for one in (state.references.references if state.references else ()) if one.name == reference), None)
        score = known.scores.get(state.settings.metric) if known else None
        shown: dict[str, Any] = {"x": [], "y": []}
        if known is not None and score is not None and math.isfinite(score):
            text = label(f"{known.title}: {narrative.format_score(state, score)}", 120)
            shown = {
                "x": list(width),
                "y": [axis.value(score)] * 2,
                "text": [text] * 2,
                "hovertemplate": "%{text}<extra></extra>",
            }
        line = {"color": colour, "dash": dash, "width": 1.5}
        figure.add_scatter(**shown, mode="lines", name=name, showlegend=False, line=line)


def name_reference_lines(figure: go.Figure, state: StudyState) -> None:
    """Write the name of each reference beside its line, or at the edge beyond which it is; earlier names are replaced.

    No two names are at the same height, so they cannot overlap on a narrow page. Good scores are named at the left and bad ones
    at the right, where the front is not.

    Args:
        figure: The front, with its axes and the label of a limit.
        state: The study.
    """
    axis = error_axis(state)
    upwards = axis.kind == "score" and state.settings.objectives[0].direction == "maximize"
    others = [known for known in figure.layout.annotations if known.name != NAME]
    known = {name for name, _, _ in LINES.values()}
    at = {trace.name: float(trace.y[0]) for trace in figure.data if trace.name in known and trace.y}
    low, high = _ends(figure, axis)
    heights = {name: ((math.log10(y) if axis.log else y) - low) / (high - low) for name, y in at.items()}
    names = sorted(heights, key=heights.__getitem__, reverse=True)
    tops = place_names([heights[name] for name in names], reserved=HIGH if others else 0.0)
    placed = []
    for name, top in zip(names, tops, strict=True):
        value, height = at[name], heights[name]
        text = f"{name} {axis.show(float(f'{value:.3g}'))}"
        place: dict[str, Any] = {"y": math.log10(value) if axis.log else value, "yref": "y"}
        if not 0 <= height <= 1:
            text, place = f"{'▴' if height > 1 else '▾'} {text}", {"y": float(height > 1), "yref": "paper"}
        side = {"x": 0, "xanchor": "left"} if (height < MIDDLE) != upwards else {"x": 1, "xanchor": "right"}
        look = {"name": NAME, "showarrow": False, "font": {"size": SMALL}, "borderpad": 0}
        placed.append({"text": text, "xref": "paper", "yanchor": "top", "yshift": top, **side, **place, **look})
    figure.layout.annotations = [*others, *placed]


def place_names(heights: Sequence[float], reserved: float = 0.0) -> list[float]:
    """Where names go that must not overlap, in any plot that is at least `SHORTEST` pixels high.

    A name is above its line; below it where there is no room above. Names of lines beyond an edge are at that edge.

    Args:
        heights: Of the lines, from 1 at the top of the plot to 0 at its bottom; the highest first.
        reserved: Pixels at the top of the plot that are taken.

    Returns:
        By how many pixels the upper edge of each name is above its line.
    """
    lines, tops = [min(1.0, max(0.0, height)) for height in heights], []
    above, taken = 1.0, -reserved  # the line above, and the lower edge of its name
    for line in lines:
        room = (above - line) * SHORTEST + taken
        tops.append(HIGH if room >= HIGH else min(0.0, room))
        above, taken = line, tops[-1] - HIGH
    below, taken = 0.0, 0.0  # the line below, and the upper edge of its name
    for number, line in reversed(list(enumerate(lines))):
        least = HIGH + taken - (line - below) * SHORTEST
        if least > tops[number] + ROUNDING:
            tops[number] = max(HIGH, least)
        below, taken = line, tops[number]
    return tops


def _ends(figure: go.Figure, axis: ErrorAxis) -> tuple[float, float]:
    """The ends of the vertical axis; approximate where plotly chooses them."""
    if figure.layout.yaxis.range is not None:
        low, high = figure.layout.yaxis.range
        return float(low), float(high)
    values = [y for trace in figure.data for y in trace.y or () if y is not None]
    return linear_ends([math.log10(y) for y in values if y > 0] if axis.log else values)
