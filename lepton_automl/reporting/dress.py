"""What all pictures have in common: colours that every kind of eye tells apart, and themes for light and dark pages.

A picture always has the same traces in the same order, whatever the study holds: an empty one has no points. So a window
that is open can bring a picture up to date trace by trace.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import plotly.graph_objects as go

Theme = Literal["light", "dark", "neutral"]

# Of Okabe and Ito (Color Universal Design, 2008): told apart by every kind of eye, on white and on black.
BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#888888"
# From blue by grey to amber: neither end is lost on white or on black, as those of cividis and viridis are.
SCALE = [[0.0, "#2C6FB5"], [0.5, "#8E8C84"], [1.0, "#E69F00"]]
INK: dict[Theme, str] = {"light": "#222222", "dark": "#e8e8e8", "neutral": "#767676"}
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


def dressed(figure: go.Figure, theme: Theme, **layout: Any) -> go.Figure:
    """A picture in its theme, with what its layout has beside that."""
    figure.update_layout(template=template(theme), **layout)
    return figure


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers from below `low` to above `high`: 1, 2 and 5 times the powers of ten; over many powers the powers alone."""
    low, high = max(low, 1e-12), max(high, 1e-12)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(powers) <= 6 else (1,)
    ticks = [float(f"{step}e{power}") for power in powers for step in steps]
    inside = [tick for tick in ticks if low <= tick <= high]
    return inside if len(inside) > 2 else [tick for tick in ticks if low / 5 <= tick <= high * 5]


def log_axis(values: Iterable[float]) -> dict[str, Any]:
    """A logarithmic axis whose ticks say whole numbers in place of exponents."""
    known = list(values) or [1.0]
    ticks = log_ticks(min(known) / 2, max(known) * 2)
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def note(text: str) -> dict[str, Any]:
    """A sentence in the middle of a picture that has nothing to show."""
    return {"text": text, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "showarrow": False}
