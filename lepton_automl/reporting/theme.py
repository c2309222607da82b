"""What all pictures have in common: colours that every kind of eye tells apart, and themes for light and dark pages.

A picture always has the same traces in the same order, whatever the study holds: an empty one has no points. So a window
that is open can bring a picture up to date trace by trace.
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

# Of Okabe and Ito (Color Universal Design, 2008): told apart by every kind of eye, on white and on black.
BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#888888"
# From blue by grey to amber: neither end is lost on white or on black, as those of cividis and viridis are.
SCALE = [[0.0, "#2C6FB5"], [0.5, "#8E8C84"], [1.0, "#E69F00"]]
INK: dict[Theme, str] = {"light": "#222222", "dark": "#e8e8e8", "neutral": "#767676"}
NARROW, WIDE, TICKS = 8.0, 2e4, 6  # ratios of the ends of a logarithmic axis; its ticks, about
LEAST = 2.0  # ratio of its ends; less would show noise as if it were a difference
ROOM = 0.05  # of its value, on either side of one that stands alone on a linear axis
GRID = "rgba(128,128,128,0.22)"
CONFIG: dict[str, Any] = {"responsive": True, "displaylogo": False}


def template(theme: Theme = "neutral") -> go.layout.Template:
    """The look of a picture.

    Args:
        theme: The page that it stands on; `"neutral"` can be read on light and dark ones. The background is the page's.
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
    """A picture in its theme, with what its layout has beside that."""
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
    """The ends of a logarithmic axis: some room around its values, and never less than a factor of two."""
    known = [value for value in values if value > 0] or [1.0]
    low, high = min(known), max(known)
    rim = max((high / low) ** 0.06, math.sqrt(LEAST * low / high))
    return low / rim, high * rim


def log_axis(values: Iterable[float]) -> dict[str, Any]:
    """A logarithmic axis whose ticks say numbers in place of exponents."""
    low, high = log_ends(values)
    ticks = log_ticks(low, high)
    ends = [math.log10(low), math.log10(high)]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks], "range": ends}


def linear_ends(values: Iterable[float]) -> tuple[float, float]:
    """The ends of a linear axis: some room around its values, and around one that stands alone."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    alone = high - low <= max(1e-9 * abs(high), 1e-12)
    room = ROOM * (max(abs(high), 1e-6) if alone else high - low)
    return low - room, high + room


def linear_axis(values: Iterable[float]) -> dict[str, Any]:
    """A linear axis: plotly finds its ends by itself, but gives one value alone the room of one unit on either side."""
    known = {value for value in values if math.isfinite(value)}
    return {"range": list(linear_ends(known))} if len(known) == 1 else {"autorange": True}


def score_axis(metric: str, data: DataSpec, values: Iterable[float]) -> dict[str, Any]:
    """The axis of a score: that of its values, and before there is one the range that it can have, or has where nothing is learnt.

    Args:
        metric: The score.
        data: What it is taken on.
        values: What is known of it.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if known:
        return linear_axis(known)
    task = task_of(data)
    return {"range": [0.0, task.score_range(metric, data.output) if metric in task.metrics else 1.0]}


def note(text: str) -> dict[str, Any]:
    """A sentence in the middle of a picture that has nothing to show."""
    return {"text": text, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "showarrow": False}
