"""The content of a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lepton_automl.error_analysis import ErrorAnalysis
from lepton_automl.explanation import ExplainedRows
from lepton_automl.permutation_importance import PermutationImportance
from lepton_automl.profile import ResourceProfile
from lepton_automl.state import StudyState

if TYPE_CHECKING:
    import plotly.graph_objects as go

Figures = dict[str, "go.Figure"]  # the figures of a page by name; each section adds its own


@dataclass(frozen=True)
class ReportContext:
    """The content of a report.

    Args:
        state: The study, at any time.
        analysis: The error analysis of the chosen model, if there is one.
        profile: Its resource profile, if it was measured.
        missing: Why there is no error analysis.
        importance: What matters to the chosen model, if it was measured.
        code: The script that trains its network again; empty if there is none.
        explained: Explanations of its worst answers, if there are any.
    """

    state: StudyState
    analysis: ErrorAnalysis | None = None
    profile: ResourceProfile | None = None
    missing: str = ""
    importance: PermutationImportance | None = None
    code: str = ""
    explained: ExplainedRows | None = None
