"""Hyperparameters against the score, chosen by two lists: one as a slice, two as a contour."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w
import plotly.graph_objects as go

from lepton_automl.reporting.labels import clean
from lepton_automl.reporting.slices import slice_figure, varied_hyperparameters
from lepton_automl.state import StudyState

from .picture import PictureView
from .protocols import StudySnapshot
from .view import View

NOTE = (
    '<div class="l-dim">Stopped trials are shown with their last score. The colour behind the points of two hyperparameters is '
    "the mean of the trials nearby.</div>"
)


class SlicesView(View):
    """The plot and its two lists.

    Args:
        choose: Called with the trial whose point is clicked.
    """

    def __init__(self, choose: Callable[[int], None]) -> None:
        self._snapshot: StudySnapshot | None = None
        self.across = w.Dropdown(options=[], description="across", layout={"width": "min(100%, 260px)"})
        self.upward = w.Dropdown(options=[("score", "")], description="up", layout={"width": "min(100%, 260px)"})
        for control in (self.across, self.upward):
            control.style.description_width = "46px"
            control.observe(lambda _: self._changed(), "value")
        self.plot = PictureView(self._figure, choose, height=360)
        row = w.Box([self.across, self.upward], layout={"flex_flow": "row wrap"})
        super().__init__(row, self.plot, w.HTML(NOTE))

    def draw(self, snapshot: StudySnapshot) -> None:
        """Offer the hyperparameters that differ, and draw."""
        self._snapshot = snapshot
        names = varied_hyperparameters(snapshot.state)
        offered = [(clean(name, 60), name) for name in names]
        if offered != list(self.across.options):
            with self.quietly():
                across, upward = self.across.value, self.upward.value
                self.across.options, self.upward.options = offered, [("score", ""), *offered]
                self.across.value = across if across in names else next(iter(names), None)
                self.upward.value = upward if upward in names else ""
        self.plot.draw(snapshot)

    def _changed(self) -> None:
        if not self._hold and self._snapshot is not None:
            self.plot.show(self._figure(self._snapshot.state))

    def _figure(self, state: StudyState) -> go.Figure:
        across, upward = str(self.across.value or ""), str(self.upward.value or "")
        return slice_figure(state, across, "" if upward == across else upward)
