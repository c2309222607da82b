"""The front as a figure: the score of every trial against a cost, by default the latency."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lepton_automl.objective import Objective
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .cost_axes import LATENCY, CostAxis, colour_axis, front_axis, is_plane, other_costs
from .ends import shown_reason
from .labels import label
from .tables import chosen_trial, last_score, network, score_interval, with_interval
from .theme import (
    BLUE,
    GREY,
    ORANGE,
    SCALE,
    Theme,
    apply_theme,
    linear_axis,
    log_axis,
    note,
    score_axis,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

NEAR = 10.0  # a limit within this factor of the latencies is included in the axis range
# Invisible, at the centre of the front's points: plotly.js (scatter/hover.js) shows the text of the smallest point under the
# pointer, which would be a dominated trial that a point of the front covers.
MIDDLE = {"size": 6, "opacity": 0, "color": BLUE}
WHOLE = {"exponentformat": "none", "separatethousands": True}  # plain tick labels: 11,400 kB, not 11.4k kB
USUAL = (0.01, 10.0)  # milliseconds: the axis range before the first measurement
SLOWER = 50.0  # times the fastest network's latency: the initial upper end of the axis
MOST = 2_000  # the latest stopped and the latest infeasible trials shown


def front_figure(state: StudyState, theme: Theme = "neutral") -> go.Figure:
    """The score of every trial against its latency, or the first cost that is an objective.

    A line joins the models of the front if the score and this cost are the only objectives. Points are coloured by another
    objective, or by their size if there is none.

    Fainter points are dominated, or were stopped in training (their last score); ticks at the bottom exceeded a hard limit.

    Args:
        state: The study, at any time.
        theme: See `theme.template`.

    Returns:
        Traces `path`, `stopped`, `dominated`, `infeasible`, `front`, `chosen`; each point's `customdata` is its trial's number.
    """
    import plotly.graph_objects as go

    front = state.front()
    ended = [trial for trial in state.trials.values() if trial.profile]
    numbers = {trial.number for trial in front}
    dominated = [trial for trial in ended if trial.status == "complete" and trial.number not in numbers]
    stopped = [trial for trial in ended if trial.status == "stopped" and last_score(state, trial) is not None][-MOST:]
    infeasible = [trial for trial in ended if trial.status == "infeasible"][-MOST:]
    bottom = min((score for trial in ended if (score := last_score(state, trial)) is not None), default=0.0)
    across, colour = front_axis(state), colour_axis(state)
    colours = _Colours(colour, [colour.value(trial) for trial in (*front, *dominated)])
    chosen = [trial for trial in front if trial.number == chosen_trial(state)]
    figure = go.Figure()
    line = {"color": BLUE, "width": 1, "shape": "hv"}
    path = {"mode": "lines+markers" if is_plane(state) else "markers"}
    figure.add_scatter(**_points(state, front, "path") | path, line=line, marker=MIDDLE, showlegend=False)
    figure.add_scatter(**_points(state, stopped, "stopped"), marker={"symbol": "x", "color": GREY, "size": 6}, opacity=0.45)
    figure.add_scatter(**_points(state, dominated, "dominated"), marker=colours.marker(dominated, 7), opacity=0.5)
    ticks = {"symbol": "line-ns-open", "color": GREY, "size": 9}
    figure.add_scatter(
        **_points(state, infeasible, "infeasible") | {"y": [bottom] * len(infeasible)}, marker=ticks, opacity=0.45
    )
    bar = {"title": {"text": label(colour.title), "side": "right"}, "thickness": 12, "outlinewidth": 0, **WHOLE}
    marker = colours.marker(front, 12) | {"colorbar": bar, "showscale": bool(front)}
    bars = _interval(front) if across.name == LATENCY else None
    scored = _score_interval(state, front)
    figure.add_scatter(**_points(state, front, "front"), error_x=bars, error_y=scored, marker=marker)
    ring = {"symbol": "circle-open", "color": ORANGE, "size": 20, "line": {"width": 3}}
    figure.add_scatter(**_points(state, chosen, "chosen"), marker=ring)
    figure.data[5].update(hoverinfo="skip", hovertemplate=None)  # the point inside the ring has the hover text
    return _with_layout(figure, state, theme)


def hover(state: StudyState, trial: Trial) -> str:
    """The hover text of a trial."""
    profile, score = trial.profile, last_score(state, trial)
    lines = [
        f"trial {trial.number}: {trial.status}",
        f"{state.settings.metric} {with_interval(f'{score:.4f}', score_interval(state, trial))}"
        if score is not None
        else "not scored",
        f"merged into trial {state.merged[trial.number]}" if trial.number in state.merged else "",
        network(trial),
        shown_reason(trial),
    ]
    if profile:
        lines[3:3] = [
            f"{profile.latency_ms:.4g} ms ({profile.latency.low:.4g} to {profile.latency.high:.4g})",
            f"{profile.size_bytes / 1e3:.1f} kB, {profile.parameters:,} parameters, {trial.variant.name}",
            *(f"{cost.label} {cost.show(trial)}" for cost in other_costs(state) if cost.show(trial)),
        ]
    return "<br>".join(label(line, 120) for line in lines if line)


def _with_layout(figure: go.Figure, state: StudyState, theme: Theme) -> go.Figure:
    deployment, goal = state.settings.deployment, state.settings.objectives[0]
    across = front_axis(state)
    place = (
        f"{deployment.device}, {deployment.threads} thread{'s' * (deployment.threads > 1)}, batch of {deployment.batch_size}"
    )
    timed = f"latency, ms per call ({place}); bars: 95 % interval"
    title = timed if across.name == LATENCY else f"{label(across.title)} ({_better(across.objective)})"
    apply_theme(
        figure,
        theme,
        height=520,
        xaxis={**_across(state), "title": {"text": title}},
        yaxis={
            **score_axis(state.settings.metric, state.settings.data, (y for trace in figure.data for y in trace.y)),
            "title": {"text": f"{label(state.settings.metric)} ({_better(goal)})"},
        },
        clickmode="event",
    )
    if not any(len(trace.y) for trace in figure.data):
        figure.add_annotation(
            **note("no model yet; each will appear here as a point" if state.ended is None else "no model was found")
        )
    if across.name == LATENCY and deployment.max_latency_ms is not None:
        _draw_limit(figure, deployment.max_latency_ms)
    return figure


def _better(objective: Objective) -> str:
    return "higher is better" if objective.direction == "maximize" else "lower is better"


def _across(state: StudyState) -> dict[str, Any]:
    """The horizontal axis."""
    across = front_axis(state)
    if across.name == LATENCY:
        return log_axis(_latencies(state))
    values = [value for trial in state.trials.values() if not math.isnan(value := across.value(trial))]
    return log_axis(values) if across.log else linear_axis(values)


def _latencies(state: StudyState) -> list[float]:
    """The values that the axis has to include: the latencies, and a limit near them."""
    known = [trial.profile.latency_ms for trial in state.trials.values() if trial.profile]
    if not known and state.host_benchmark:  # the expected range, from the fastest network
        known = [state.host_benchmark.benchmark.fastest.latency_ms, SLOWER * state.host_benchmark.benchmark.fastest.latency_ms]
    limit = state.settings.deployment.max_latency_ms
    near = limit is not None and (not known or min(known) / NEAR <= limit <= max(known) * NEAR)
    return [*known, limit] if limit is not None and near else known or list(USUAL)


def _draw_limit(figure: go.Figure, limit: float) -> None:
    """Draw the limit as a line with a label; the label is at the nearest edge if the line is out of range."""
    at = math.log10(limit)  # annotations are placed by the logarithm, lines by the value
    low, high = figure.layout.xaxis.range
    text, x, anchor = f"limit {limit:g} ms", at, "left"
    if at > high:
        text, x, anchor = f"{text} ▸", high, "right"
    elif at < low:
        text, x = f"◂ {text}", low
    figure.add_vline(limit, line={"color": ORANGE, "dash": "dash"}, annotation_text=text)
    figure.layout.annotations[-1].update(x=x, xanchor=anchor)


def _points(state: StudyState, trials: list[Trial], name: str) -> dict[str, Any]:
    across = front_axis(state)
    return {
        "x": [_or_none(across.value(trial)) for trial in trials],
        "y": [last_score(state, trial) for trial in trials],
        "mode": "markers",
        "name": name,
        "text": [hover(state, trial) for trial in trials],
        "customdata": [trial.number for trial in trials],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


class _Colours:
    """The colours of points by a cost: one scale for all, so that equal colours mean equal costs.

    Args:
        cost: The cost.
        values: The values that the scale spans.
    """

    def __init__(self, cost: CostAxis, values: list[float]) -> None:
        known = [value for value in values if not math.isnan(value)]
        self._cost, self._ends = cost, {"cmin": min(known), "cmax": max(known)} if known else {}

    def marker(self, trials: list[Trial], size: int) -> dict[str, Any]:
        """The markers of trials."""
        colours = {"color": [_or_none(self._cost.value(trial)) for trial in trials], "colorscale": SCALE}
        return {"size": size, **colours, "line": {"width": 1, "color": GREY}} | self._ends


def _score_interval(state: StudyState, trials: list[Trial]) -> dict[str, Any] | None:
    """The 95 % intervals of the scores; None if none is known."""
    ends = [score_interval(state, trial) for trial in trials]
    if not any(ends):
        return None
    pairs = [(state.score(trial), *(known or 2 * (state.score(trial),))) for trial, known in zip(trials, ends, strict=True)]
    up, down = [high - score for score, _, high in pairs], [score - low for score, low, _ in pairs]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": GREY, "thickness": 1}


def _interval(trials: list[Trial]) -> dict[str, Any]:
    latencies = [trial.profile.latency for trial in trials if trial.profile]
    up, down = [latency.high - latency.median for latency in latencies], [latency.median - latency.low for latency in latencies]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": GREY, "thickness": 1}
