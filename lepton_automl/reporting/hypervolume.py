"""The growth of the front: its hypervolume over time and over epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lepton_automl.front import hypervolume
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .theme import BLUE, Theme, apply_theme, note

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from lepton_automl.front import Costs

MARGIN = 0.1  # share of the span by which the reference point lies beyond the worst model
CAPTION = "share of the space between the best and the worst values that the front dominates"


def hypervolume_figure(state: StudyState, theme: Theme = "neutral") -> go.Figure:
    """The front's hypervolume after each model that was completed, over minutes of search and over epochs of all trials.

    Returns:
        Traces `by time`, `by epochs`, in two plots side by side; `customdata` is the trial that ended there.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    steps = growth(state)
    numbers = [None, *(trial.number for trial, _ in steps)]
    figure = go.Figure(make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.06))
    for column, name in ((1, "by time"), (2, "by epochs")):
        figure.add_scatter(
            x=[0.0, *(trial.spent[0] / 60 if column == 1 else trial.spent[1] for trial, _ in steps)],
            y=[0.0, *(volume for _, volume in steps)],
            customdata=numbers,
            mode="lines+markers",
            line={"shape": "hv", "color": BLUE, "width": 2},
            marker={"size": 5},
            name=name,
            showlegend=False,
            hovertemplate="after trial %{customdata}: %{y:.3f}<extra></extra>",
            row=1,
            col=column,
        )
    figure.update_xaxes(title="minutes of search", rangemode="tozero", row=1, col=1)
    figure.update_xaxes(title="epochs of all trials", rangemode="tozero", row=1, col=2)
    figure.update_yaxes(title="hypervolume", rangemode="tozero", row=1, col=1)
    if not steps:
        minutes = state.settings.budget.minutes or 10
        figure.update_xaxes(range=[0, minutes], row=1, col=1).update_xaxes(range=[0, 100], row=1, col=2).update_yaxes(
            range=[0, 1]
        )
    return apply_theme(figure, theme, height=320, annotations=[] if steps else [note("no model is complete yet")])


def growth(state: StudyState) -> list[tuple[Trial, float]]:
    """The share of the space that the front dominates, after each completed trial.

    Values are those that the search compares: times and sizes as logarithms, all models in one runtime. The space reaches
    from the best to a little beyond the worst value of each objective over the whole study, so only the shape of the curve
    is meaningful.
    """
    done = sorted((trial for trial in state.trials.values() if trial.status == "complete"), key=lambda trial: trial.spent)
    costs = np.array([_costs(state, trial) for trial in done]).reshape(len(done), len(state.settings.objectives))
    steps, known = [], np.empty((0, costs.shape[1]))
    if not len(costs):
        return []
    low, high = np.nanmin(costs, axis=0), np.nanmax(costs, axis=0)
    span = np.where(high > low, high - low, 1.0) * (1 + MARGIN)
    for trial, row in zip(done, (costs - low) / span, strict=True):
        known = _added(known, row)
        steps.append((trial, hypervolume(known, [1.0] * len(row))))
    return steps


def _costs(state: StudyState, trial: Trial) -> list[float]:
    costs = []
    for goal in state.settings.objectives:
        value = state.search_value(trial, goal)
        costs.append(goal.search_cost(value))
    return costs


def _added(front: Costs, row: Sequence[float] | Costs) -> Costs:
    """A front with one more row, without dominated rows."""
    new = np.asarray(row)
    if np.isnan(new).any() or (front <= new).all(axis=1).any():
        return front
    return np.vstack([front[~(new <= front).all(axis=1)], new])
