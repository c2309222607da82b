"""How trials ended, and why those that did not complete were stopped."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .labels import label
from .theme import BLUE, GREEN, GREY, ORANGE, PURPLE, Theme, apply_theme, note

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLOURS = {"complete": BLUE, "stopped": GREY, "infeasible": PURPLE, "failed": ORANGE, "running": GREEN}
PLAIN = {"complete": "trained to the end", "running": "still running", "infeasible": "exceeds a hard limit"}
FEW = 8  # up to so many trials, each has its own tick
MOST = 12  # reasons shown separately
NUMBER = re.compile(r"\d[\d.,]*(e[+-]?\d+)?")
WORDS = (  # a part of a reason, and the words shown for it; other reasons are shown unchanged
    ("unlikely to improve the Pareto front", "unlikely to improve the Pareto front"),
    ("more than the budget allows", "not enough budget left to finish"),
    ("the budget of", "the budget ran out first"),
    ("stopped by the user", "the search was stopped by the user"),
    ("latency … ms is above", "too slow: above the latency limit"),
    ("size … bytes is above", "too large: above the size limit"),
)


def ends_figure(state: StudyState, theme: Theme = "neutral") -> go.Figure:
    """The number of trials by status and reason.

    Returns:
        Traces `complete`, `stopped`, `infeasible`, `failed`, `running`: a bar for each reason.
    """
    import plotly.graph_objects as go

    ends = reasons(state)[:MOST]
    most = max((count for _, _, count in ends), default=0)
    figure = go.Figure()
    for status, colour in COLOURS.items():
        own = [(at, reason, count) for at, (kind, reason, count) in enumerate(ends) if kind == status]
        figure.add_bar(
            y=[at for at, _, _ in own],
            x=[count for _, _, count in own],
            orientation="h",
            name=status,
            showlegend=bool(own),
            marker={"color": colour},
            text=[str(count) for _, _, count in own],
            textposition="outside",
            cliponaxis=False,
            hovertext=[label(reason, 120) for _, reason, _ in own],
            hovertemplate="%{hovertext}: %{x}<extra></extra>",
        )
    axis = {"tickvals": list(range(len(ends))), "ticktext": [label(reason, 48) for _, reason, _ in ends]}
    return apply_theme(
        figure,
        theme,
        height=max(200, 130 + 30 * len(ends)),
        barmode="overlay",
        xaxis={"title": {"text": "trials"}, "rangemode": "tozero", "tickformat": "d", "dtick": 1 if most < FEW else None},
        yaxis={**axis, "autorange": "reversed"},
        annotations=[] if ends else [note("no trial has started yet")],
    )


def reasons(state: StudyState) -> list[tuple[str, str, int]]:
    """Status, reason and number of trials; numbers in a reason are masked, so that similar reasons are counted together."""
    counts = Counter((trial.status, reason(trial)) for trial in state.trials.values())
    order = list(COLOURS)
    return [
        (status, why, count)
        for (status, why), count in sorted(counts.items(), key=lambda item: (order.index(item[0][0]), -item[1]))
    ]


def shown_reason(trial: Trial) -> str:
    """The recorded reason why a trial ended, or the limit that its artifact exceeds by now, in a line."""
    return (trial.exceeded_limit or (trial.result.reason if trial.result else "")).partition("\n")[0]


def reason(trial: Trial) -> str:
    """Why a trial ended as it did, in a few words."""
    text = shown_reason(trial)
    if not text:
        return PLAIN.get(trial.status, trial.status)
    blank = NUMBER.sub("…", text)
    return next((words for sign, words in WORDS if sign in blank), blank)
