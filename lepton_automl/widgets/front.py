"""The front: score against latency, to be pointed at; its limit is a line that can be dragged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go

from lepton_automl.reporting.plots import front_figure
from lepton_automl.reporting.tables import last_score
from lepton_automl.state import StudyState

from .handle import Moment
from .picture import Picture
from .style import ACCENT
from .view import View

LINE = "limit"  # the name of the shape


class FrontView(View):
    """The picture of the front.

    Args:
        choose: Called with the trial whose point is clicked.
        limit: Called with milliseconds, when the line was dragged.
    """

    def __init__(self, choose: Callable[[int], None], limit: Callable[[float], None]) -> None:
        self._choose, self._limit = choose, limit
        self.picture: Picture | None = None
        self._last: tuple[Any, ...] = ()
        self._known: float | None = None
        super().__init__()

    def draw(self, moment: Moment) -> None:
        """Bring the picture up to date."""
        state = moment.state
        stand = (state.last_at, moment.chosen, len(state.trials))
        if stand == self._last:
            return
        self._last, self._known = stand, state.settings.target.max_latency_ms
        figure = pointed(state, moment.chosen)
        if self.picture:
            self.picture.show(figure)
            return
        self.picture = Picture(figure, clicked=self._choose)
        self.picture.widget.layout.on_change(self._dragged, "shapes")
        self.children = [self.picture.box]

    def _dragged(self, _layout: Any, shapes: Any) -> None:
        """A person has let go of the line; what comes of our own drawing is where the study's limit is already."""
        for shape in shapes:
            if self.picture and self._known and shape.name == LINE and abs(float(shape.x0) / self._known - 1) > 1e-3:
                self.picture.forget("shapes")  # wherever it was dragged to, it is drawn again where the study has it
                self._last = ()
                self._limit(float(f"{float(shape.x0):.3g}"))


def pointed(state: StudyState, chosen: int | None) -> go.Figure:
    """The front with a ring around the trial that is looked at, and a limit that can be dragged."""
    figure = front_figure(state)
    known = state.trials.get(-1 if chosen is None else chosen)
    score = last_score(state, known) if known else None
    at = ([known.profile.latency_ms], [score]) if known and known.profile and score is not None else ([], [])
    ring = {"symbol": "diamond-open", "color": ACCENT, "size": 22, "line": {"width": 2}}
    figure.add_scatter(
        x=at[0], y=at[1], mode="markers", marker=ring, name="looked at", hoverinfo="skip", showlegend=bool(at[0])
    )
    figure.update_layout(title=None, legend={"orientation": "h", "y": 1.1, "x": 0}, dragmode="pan")
    figure.update_shapes(editable=True, name=LINE, line={"width": 3})
    return figure
