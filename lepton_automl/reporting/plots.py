"""The figures of a study, and pages that show them: each needs the study's state alone.

Every figure is a function `..._figure(state, theme)` that returns a `plotly.graph_objects.Figure`, with the same traces in
the same order whatever the study holds.
"""

from __future__ import annotations

from .curves import curves_figure
from .ends import ends_figure
from .front import front_figure
from .hypervolume import hypervolume_figure
from .importance import importance_figure
from .parallel import parallel_figure
from .report import front_html, plots_html
from .slices import slice_figure
from .theme import Theme, template
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
    "plots_html",
    "slice_figure",
    "template",
    "timeline_figure",
]
