"""Learning curves of all trials, with the rungs at which trials are stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .labels import label
from .tables import chosen_trial
from .theme import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Theme,
    apply_theme,
    score_axis,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST = 300  # the latest trials shown of each kind
LOOKS: dict[str, dict[str, Any]] = {
    "stopped": {"color": GREY, "width": 1},
    "dominated": {"color": BLUE, "width": 1, "dash": "dot"},
    "running": {"color": GREEN, "width": 1.5},
    "front": {"color": BLUE, "width": 2},
    "chosen": {"color": ORANGE, "width": 3},
}
FAINT = {"stopped": 0.6, "dominated": 0.7}


def curves_figure(state: StudyState, theme: Theme = "neutral") -> go.Figure:
    """The score after each epoch; a cross where a trial was stopped, a dotted line at each rung.

    Returns:
        Traces `stopped`, `dominated`, `running`, `front`, `chosen`, all curves of a kind in one, and `where it was stopped`; `customdata` is
        the trial's number. The rungs are the layout's shapes.
    """
    import plotly.graph_objects as go

    groups = _groups(state)
    figure = go.Figure()
    for name, line in LOOKS.items():
        x, y, numbers = _with_gaps([(trial.number, *curve(state, trial)) for trial in groups[name]])
        figure.add_scatter(
            x=x,
            y=y,
            customdata=numbers,
            mode="lines",
            line=line,
            opacity=FAINT.get(name, 1.0),
            name=name,
            connectgaps=False,
            hovertemplate="trial %{customdata}, epoch %{x}: %{y:.4f}<extra></extra>",
        )
    ends = [(trial, *curve(state, trial)) for trial in groups["stopped"]]
    figure.add_scatter(
        x=[epochs[-1] for _, epochs, _ in ends if epochs],
        y=[scores[-1] for _, _, scores in ends if scores],
        customdata=[trial.number for trial, epochs, _ in ends if epochs],
        text=[
            label(trial.result.reason.partition("\n")[0], 120) if trial.result else "" for trial, epochs, _ in ends if epochs
        ],
        mode="markers",
        marker={"symbol": "x-thin-open", "size": 7, "color": GREY, "line": {"width": 1.5}},
        opacity=0.8,
        name="where it was stopped",
        hovertemplate="trial %{customdata}: %{text}<extra></extra>",
    )
    metric = label(state.settings.metric)
    scores = score_axis(state.settings.metric, state.settings.data, (y for trace in figure.data for y in trace.y))
    epochs = (
        {}
        if any(len(trace.x) for trace in figure.data)
        else {"range": [0, state.host_benchmark.epochs if state.host_benchmark else 10]}
    )
    apply_theme(
        figure, theme, height=420, xaxis={"title": {"text": "epoch"}, **epochs}, yaxis={"title": {"text": metric}, **scores}
    )
    for epoch in rungs_seen(state):
        figure.add_vline(epoch, line={"color": GREY, "dash": "dot", "width": 1}, opacity=0.6)
    return figure


def curve(state: StudyState, trial: Trial) -> tuple[list[int], list[float]]:
    """The epochs, and the score after each."""
    metric = state.settings.metric
    scores = {report.epoch: report.scores[metric] for report in trial.reports if metric in report.scores}
    return list(scores), list(scores.values())


def rungs_seen(state: StudyState) -> list[int]:
    """Epochs after which trials other than pruned ones waited for a decision."""
    fresh = (trial for trial in state.trials.values() if not trial.is_child)
    return sorted({report.epoch for trial in fresh for report in trial.reports if report.waits and report.epoch})


def _groups(state: StudyState) -> dict[str, list[Trial]]:
    groups: dict[str, list[Trial]] = {name: [] for name in LOOKS}
    front, chosen = {trial.number for trial in state.front()}, chosen_trial(state)
    for trial in state.trials.values():
        if trial.number == chosen:
            groups["chosen"].append(trial)
        elif trial.number in front:
            groups["front"].append(trial)
        elif trial.status == "complete":
            groups["dominated"].append(trial)
        else:
            groups["running" if trial.status == "running" else "stopped"].append(trial)
    return {name: trials[-MOST:] for name, trials in groups.items()}


def _with_gaps(curves: list[tuple[int, list[int], list[float]]]) -> tuple[list[int | None], list[float | None], list[int]]:
    """Many curves as one line with gaps."""
    x: list[int | None] = []
    y: list[float | None] = []
    numbers: list[int] = []
    for number, epochs, scores in curves:
        x += [*epochs, None]
        y += [*scores, None]
        numbers += [number] * (len(epochs) + 1)
    return x, y, numbers
