"""Learning curves with their rungs, the growth of the hypervolume, and the timeline of the workers."""

from __future__ import annotations

from collections.abc import Callable

from lepton_automl.reporting.plots import curves_figure, hypervolume_figure, timeline_figure

from .picture import PictureView


def curves_view(choose: Callable[[int], None]) -> PictureView:
    """Learning curves; a click on a cross chooses its trial."""
    return PictureView(curves_figure, choose)


def growth_view(choose: Callable[[int], None]) -> PictureView:
    """The hypervolume over time and epochs."""
    return PictureView(hypervolume_figure, choose)


def timeline_view(choose: Callable[[int], None]) -> PictureView:
    """The timeline of trials by worker."""
    return PictureView(timeline_figure, choose)
