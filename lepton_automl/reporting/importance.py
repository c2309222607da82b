"""The importance of hyperparameters, for each objective."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from lepton_automl.events import HyperparametersRanked
from lepton_automl.objective import known_costs

from .labels import label
from .theme import BLUE, GREEN, GREY, ORANGE, PURPLE, Theme, apply_theme, note

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST = 12  # hyperparameters shown: the most important ones for any objective
LEAST = 0.005  # share, below which a hyperparameter is not shown
LOOKS = {"score": (BLUE, ""), "latency_ms": (ORANGE, "/"), "size_bytes": (PURPLE, ".")}
OTHER_LOOKS = ((GREEN, "x"), (GREY, "+"))  # of other objectives, repeating
FEW = 30  # with fewer trials, shares are only a hint


def goal_name(goal: str) -> str:
    """The display name of an objective."""
    declared = known_costs().get(goal)
    return declared.title if declared else goal


def importance_figure(ranked: HyperparametersRanked | None, theme: Theme = "neutral") -> go.Figure:
    """The share of the variation between trials that each hyperparameter explains.

    Args:
        ranked: The latest ranking by the search (`state.ranked`).
        theme: See `theme.template`.

    Returns:
        Traces `score`, `latency`, `size`: bars, empty for an objective that was not searched, and one trace for each other objective.
    """
    import plotly.graph_objects as go

    shares = ranked.shares if ranked else {}
    hyperparameters = shown_hyperparameters(ranked)[::-1]
    figure = go.Figure()
    others = [goal for goal in shares if goal not in LOOKS]
    looks = LOOKS | dict(zip(others, itertools.cycle(OTHER_LOOKS), strict=False))
    for goal, (colour, pattern) in looks.items():
        known = shares.get(goal, {})
        figure.add_bar(
            y=[label(hyperparameter) for hyperparameter in hyperparameters] if known else [],
            x=[known.get(hyperparameter, 0.0) for hyperparameter in hyperparameters] if known else [],
            orientation="h",
            name=f"{label(goal_name(goal))} ({ranked.trials[goal]} trials)" if ranked and known else label(goal_name(goal)),
            showlegend=bool(known),
            marker={"color": colour, "pattern": {"shape": pattern, "fillmode": "overlay", "size": 6}},
            hovertemplate="%{y}: %{x:.0%}<extra></extra>",
        )
    return apply_theme(
        figure,
        theme,
        height=max(200, 130 + 34 * len(hyperparameters)),
        barmode="group",
        bargap=0.3,
        legend={"traceorder": "normal"},
        xaxis={"title": {"text": "share of the variation between trials"}, "tickformat": ".0%", "rangemode": "tozero"}
        | ({} if hyperparameters else {"range": [0.0, 1.0]}),
        yaxis={"type": "category"},
        annotations=[] if hyperparameters else [note("too few trials have ended")],
    )


def shown_hyperparameters(ranked: HyperparametersRanked | None) -> list[str]:
    """The hyperparameters that matter most for any objective, the most important for the first objective first."""
    if ranked is None or not ranked.shares:
        return []
    best = {
        hyperparameter: max(share.get(hyperparameter, 0.0) for share in ranked.shares.values())
        for share in ranked.shares.values()
        for hyperparameter in share
    }
    chosen = sorted(best, key=lambda hyperparameter: -best[hyperparameter])[:MOST]
    total = {
        hyperparameter: sum(share.get(hyperparameter, 0.0) for share in ranked.shares.values()) for hyperparameter in chosen
    }
    return sorted(
        (hyperparameter for hyperparameter in chosen if best[hyperparameter] >= LEAST),
        key=lambda hyperparameter: -total[hyperparameter],
    )
