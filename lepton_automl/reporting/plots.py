"""The pictures of a study, and pages that show them: each needs the study's state alone.

Every picture is a function `..._figure(state, theme)` that gives a `plotly.graph_objects.Figure`, with the same traces in
the same order whatever the study holds.
"""

from __future__ import annotations

from html import escape
from typing import Any

from lepton_automl.state import StudyState

from .curves import curves_figure
from .dress import Theme, template
from .ends import ends_figure
from .front import front_figure
from .hypervolume import hypervolume_figure
from .importance import importance_figure
from .parallel import parallel_figure
from .tables import front_table
from .timeline import timeline_figure

__all__ = [
    "Theme",
    "curves_figure",
    "ends_figure",
    "front_figure",
    "front_html",
    "hypervolume_figure",
    "importance_figure",
    "parallel_figure",
    "template",
    "timeline_figure",
]

STYLE = (
    "body{font:14px system-ui,sans-serif;margin:1rem;color:#222;background:#fff}table{border-collapse:collapse}"
    "td,th{padding:.2rem .7rem;text-align:right}td:last-child,th:last-child{text-align:left}tr.chosen{font-weight:600}"
    "th{border-bottom:1px solid #999}"
)


def front_html(state: StudyState) -> str:
    """A page with the score against the latency of every trial, and the front as a table.

    Args:
        state: The study, at any time.

    Returns:
        HTML that holds all it needs (4.8 MB, nearly all of it plotly.js).
    """
    plot = front_figure(state, "light").to_html(
        full_html=False, include_plotlyjs=True, config={"responsive": True, "displaylogo": False}
    )
    name = escape(state.settings.name)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style></head>'
        f"<body><h1>{name}</h1>{plot}{_table(state)}</body></html>\n"
    )


def _table(state: StudyState) -> str:
    rows = front_table(state)
    if not rows:
        return "<p>No model is ready yet.</p>"
    names = [name for name in rows[0] if name != "chosen"]
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f'<tr class="{"chosen" if row["chosen"] else ""}">{"".join(f"<td>{_cell(row[name])}</td>" for name in names)}</tr>'
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else escape(f"{value:,}" if isinstance(value, int) else str(value))
