"""The importance of hyperparameters, and all trials in parallel coordinates."""

from __future__ import annotations

from lepton_automl.reporting.plots import importance_figure, parallel_figure

from .picture import PictureView
from .protocols import StudySnapshot
from .view import View

SLANTED = {"l": 70, "r": 40, "t": 78, "b": 16}  # room for the names above the axes


class ImportanceView(View):
    """The importance of each hyperparameter above, parallel coordinates of all trials below."""

    def __init__(self) -> None:
        self.shares = PictureView(lambda state: importance_figure(state.ranked), height=250)
        self.lines = PictureView(parallel_figure, height=300, margin=SLANTED)
        super().__init__(self.shares, self.lines)

    def draw(self, snapshot: StudySnapshot) -> None:
        """Draw both."""
        self.shares.draw(snapshot)
        self.lines.draw(snapshot)
