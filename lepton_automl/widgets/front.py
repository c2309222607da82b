"""The front: an interactive plot of score against latency or another cost, with a draggable line for the latency limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import plotly.graph_objects as go

from lepton_automl.reporting.cost_axes import LATENCY, front_axis
from lepton_automl.reporting.front import front_caption
from lepton_automl.reporting.front_axes import error_axis
from lepton_automl.reporting.labels import html_text
from lepton_automl.reporting.plots import front_figure
from lepton_automl.reporting.tables import chosen_trial, last_score

from .picture import PictureView
from .protocols import StudySnapshot
from .style import ACCENT

LINE = "limit"  # the name of the limit's shape
MOVED = 1e-3  # relative change of the limit; less does not count as dragging


class FrontView(PictureView):
    """The plot of the front.

    Args:
        choose: Called with the trial whose point is clicked.
        limit: Called with the new limit in milliseconds when the line was dragged.
    """

    def __init__(self, choose: Callable[[int], None], limit: Callable[[float], None]) -> None:
        self._limit = limit
        self._known: float | None = None
        self.caption = w.HTML()
        super().__init__(front_figure, choose, config={"edits": {"shapePosition": True}})

    def draw(self, snapshot: StudySnapshot) -> None:
        """Draw the front, and how to read it."""
        super().draw(snapshot)
        self.caption.value = f'<div class="l-dim">{html_text(front_caption(snapshot.state), 400)}</div>'

    def drawn(self, snapshot: StudySnapshot) -> go.Figure:
        """The front with the selected trial marked, and a draggable limit."""
        state = snapshot.state
        across = front_axis(state)
        self._known = state.settings.deployment.max_latency_ms if across.name == LATENCY else None
        figure = super().drawn(snapshot)
        trial = state.trials.get(-1 if snapshot.chosen is None else snapshot.chosen)
        score = last_score(state, trial) if trial and trial.number != chosen_trial(state) else None  # which has its ring
        at: tuple[list[float], list[float]] = [], []
        if trial is not None and trial.profile is not None and score is not None:
            at = [across.value(trial)], [error_axis(state).value(score)]
        ring = {"symbol": "diamond-open", "color": ACCENT, "size": 26, "line": {"width": 2}}
        figure.add_scatter(
            x=at[0], y=at[1], mode="markers", marker=ring, name="selected", hoverinfo="skip", showlegend=bool(at[0])
        )
        figure.update_layout(dragmode="pan")
        figure.update_shapes(name=LINE, line={"width": 3})
        return figure

    def _begin(self, figure: go.Figure) -> None:
        super()._begin(figure)
        self.children = [*self.children, self.caption]
        if self.figure is not None:
            self.figure.layout.on_change(self._dragged, "shapes")

    def _dragged(self, _layout: Any, shapes: Any) -> None:
        """Set the limit where the line was dropped; after our own drawing the line is at the study's limit already."""
        for shape in shapes:
            if self._known and shape.name == LINE and abs(float(shape.x0) / self._known - 1) > MOVED:
                self.forget("shapes")  # redraw the line at the study's limit, wherever it was dropped
                self._limit(float(f"{float(shape.x0):.3g}"))
