"""What a report is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lepton_automl.error_analysis import ErrorAnalysis
from lepton_automl.profile import ResourceProfile
from lepton_automl.state import StudyState

if TYPE_CHECKING:
    import plotly.graph_objects as go

Figures = dict[str, "go.Figure"]  # the pictures of a page by name; each part adds its own


@dataclass(frozen=True)
class ReportContext:
    """What a report is made of.

    Args:
        state: The study, at any time.
        analysis: What the chosen model gets wrong, where that was looked at.
        profile: What it costs beside its latency, where that was measured.
        missing: Why nothing is known of its errors, where nothing is.
    """

    state: StudyState
    analysis: ErrorAnalysis | None = None
    profile: ResourceProfile | None = None
    missing: str = ""
