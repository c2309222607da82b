"""What all figures share: colours for colour-blind readers, and themes for light and dark pages.

A figure always has the same traces in the same order, whatever the study holds: an empty one has no points. So an open
dashboard can update a figure trace by trace.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

Theme = Literal["light", "dark", "neutral"]

# By Okabe and Ito (Color Universal Design, 2008): distinguishable with any colour vision, on white and on black.
BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#888888"
# From blue through grey to amber: both ends are visible on white and on black, unlike those of cividis and viridis.
SCALE = [[0.0, "#2C6FB5"], [0.5, "#8E8C84"], [1.0, "#E69F00"]]
INK: dict[Theme, str] = {"light": "#222222", "dark": "#e8e8e8", "neutral": "#767676"}
NARROW, WIDE, TICKS = 8.0, 2e4, 6  # logarithmic axis: ratios of its ends that select its ticks; ticks of an even axis, about
LEAST = 2.0  # minimum ratio of its ends, so that noise does not look like a difference
ROOM = 0.05  # padding of a linear axis, relative to its span, or to a single value
GRID = "rgba(128,128,128,0.22)"
CONFIG: dict[str, Any] = {"responsive": True, "displaylogo": False}


def template(theme: Theme = "neutral") -> go.layout.Template:
    """The plotly template of a theme.

    Args:
        theme: The theme of the page; `"neutral"` is readable on light and dark pages. The background is transparent.
    """
    import plotly.graph_objects as go

    axis = {"gridcolor": GRID, "zeroline": False, "linecolor": GRID, "automargin": True, "title": {"standoff": 8}}
    return go.layout.Template(
        layout={
            "font": {"color": INK[theme], "family": "system-ui, sans-serif", "size": 13},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": [BLUE, ORANGE, GREEN, PURPLE, SKY, GREY],
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"align": "left"},
            "margin": {"t": 40, "r": 16, "b": 48, "l": 56},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        }
    )


def apply_theme(figure: go.Figure, theme: Theme, **layout: Any) -> go.Figure:
    """Apply a theme and further layout options to a figure."""
    figure.update_layout(template=template(theme), **layout)
    return figure


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ends, for a logarithmic axis: powers of ten, 1, 2 and 5 times these, or even steps."""
    low, high = max(low, 1e-12), max(high, 1e-12)
    if high / low < NARROW:
        return even_ticks(low, high)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < WIDE else (1,)
    ticks = [float(f"{step}e{power}") for power in powers for step in steps]
    return [tick for tick in ticks if low <= tick <= high]


def even_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ends, in even steps."""
    rough = max(high - low, 1e-3 * abs(high), 1e-12) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [float(f"{step * number:.6g}") for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def log_ends(values: Iterable[float]) -> tuple[float, float]:
    """The ends of a logarithmic axis: its values with some padding, at least a factor of two apart."""
    known = [value for value in values if value > 0] or [1.0]
    low, high = min(known), max(known)
    rim = max((high / low) ** 0.06, math.sqrt(LEAST * low / high))
    return low / rim, high * rim


def log_axis(values: Iterable[float]) -> dict[str, Any]:
    """A logarithmic axis whose ticks are plain numbers, not exponents."""
    low, high = log_ends(values)
    ticks = log_ticks(low, high)
    ends = [math.log10(low), math.log10(high)]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks], "range": ends}


def linear_ends(values: Iterable[float]) -> tuple[float, float]:
    """The ends of a linear axis: its values with some padding."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    alone = high - low <= max(1e-9 * abs(high), 1e-12)
    room = ROOM * (max(abs(high), 1e-6) if alone else high - low)
    return low - room, high + room


def linear_axis(values: Iterable[float]) -> dict[str, Any]:
    """A linear axis: plotly chooses its ends, except around a single value, which it would pad by one unit."""
    known = {value for value in values if math.isfinite(value)}
    return {"range": list(linear_ends(known))} if len(known) == 1 else {"autorange": True}


def score_axis(metric: str, data: DataSpec, values: Iterable[float]) -> dict[str, Any]:
    """The axis of a score: by its values, or before there are any, by the range from 0 that its task gives.

    Args:
        metric: The score.
        data: The data it is computed on.
        values: The scores so far.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if known:
        return linear_axis(known)
    task = task_of(data)
    return {"range": [0.0, task.score_range(metric, data.output) if metric in task.metrics else 1.0]}


def note(text: str) -> dict[str, Any]:
    """A message in the middle of an empty figure."""
    return {"text": text, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "showarrow": False}
