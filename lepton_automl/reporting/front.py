"""The front as a figure: the error of every trial against a cost, by default the latency."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lepton_automl.state import StudyState
from lepton_automl.texts import many
from lepton_automl.trial import Trial

from . import narrative
from .cost_axes import LATENCY, SIZE, CostAxis, colour_axis, front_axis, is_plane, other_costs
from .ends import shown_reason
from .front_axes import ErrorAxis, across, better, error_axis, finite_costs, in_view, up
from .labels import label
from .latency import latency_range, latency_text, latency_unit
from .reference_lines import LINES, add_reference_lines, name_reference_lines
from .references import is_linear
from .tables import chosen_trial, last_score, network, score_interval, with_interval
from .theme import BLUE, GREY, ORANGE, PURPLE, SCALE, Theme, apply_theme, linear_ends, log_ends, note

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
SMALLEST, LARGEST = 8.0, 22.0  # pixels: diameters of the smallest and the largest model


def front_figure(state: StudyState, theme: Theme = "neutral") -> go.Figure:
    """The error of every trial against its latency, or the first cost that is an objective.

    The axes are zoomed to the front; panning or a double click shows what is beyond. The error is on a logarithm: 1 minus a
    score that is a share, or a score of which less is better; other scores are drawn as they are.

    A line joins the models of the front if the score and this cost are the only objectives. Markers are larger for larger
    models, and coloured by another objective if there is one. Fainter points are dominated, or were stopped in training (their
    last score); ticks at the worst end exceeded a hard limit. Lines mark what networks are compared with.

    Args:
        state: The study, at any time.
        theme: See `theme.template`.

    Returns:
        Traces `path`, `stopped`, `dominated`, `infeasible`, `front`, `chosen`, `linear`, `trees`, `constant`; each point's
        `customdata` is its trial's number.
    """
    import plotly.graph_objects as go

    groups, axis, cost, colour = _groups(state), error_axis(state), front_axis(state), colour_axis(state)
    front, dominated = groups["front"], groups["dominated"]
    looks = _Looks(colour if colour.name != SIZE else None, [*front, *dominated])
    figure = go.Figure()

    def points(group: str, **more: Any) -> None:
        figure.add_scatter(**(_points(state, axis, groups[group], group) | more))

    line = {"color": BLUE, "width": 1, "shape": "vh"}  # a better score is had from its own latency on
    mode = "lines+markers" if is_plane(state) else "markers"
    figure.add_scatter(**(_points(state, axis, front, "path") | {"mode": mode, "showlegend": False}), line=line, marker=MIDDLE)
    points("stopped", marker={"symbol": "x", "color": GREY, "size": 6}, opacity=0.45)
    points("dominated", marker=looks.marker(dominated), opacity=0.55)
    ticks = {"symbol": "line-ns-open", "color": GREY, "size": 9}
    points("infeasible", y=[_worst(state, axis, front)] * len(groups["infeasible"]), marker=ticks, opacity=0.45)
    bars = _interval(front) if cost.name == LATENCY else None
    points("front", error_x=bars, error_y=_score_interval(state, axis, front), marker=looks.marker(front, bar=True))
    ring = {"symbol": "circle-open", "color": ORANGE, "size": 26, "line": {"width": 3}}
    points("chosen", marker=ring, hoverinfo="skip", hovertemplate=None)  # the point inside the ring has the hover text
    diamond = {"symbol": "diamond", "color": PURPLE, "size": 10, "line": {"width": 1, "color": GREY}}
    points("linear", marker=diamond, name="linear model")
    costs = finite_costs(cost, state.trials.values()) or USUAL
    width = log_ends(costs) if cost.log else linear_ends(costs)  # of all points, which a double click shows
    add_reference_lines(figure, state, axis, width)
    return _with_layout(figure, state, axis, theme)


def _groups(state: StudyState) -> dict[str, list[Trial]]:
    """The trials of each kind of point."""
    front, ended = state.front(), [trial for trial in state.trials.values() if trial.profile]
    numbers = {trial.number for trial in front}
    complete = [trial for trial in ended if trial.status == "complete"]
    return {
        "front": front,
        "dominated": [trial for trial in complete if trial.number not in numbers],
        "stopped": [trial for trial in ended if trial.status == "stopped" and last_score(state, trial) is not None][-MOST:],
        "infeasible": [trial for trial in ended if trial.status == "infeasible"][-MOST:],
        "chosen": [trial for trial in front if trial.number == chosen_trial(state)],
        "linear": [trial for trial in complete if is_linear(trial)],
    }


def front_caption(state: StudyState) -> str:
    """How to read the figure, in sentences."""
    deployment, front = state.settings.deployment, state.front()
    complete = [trial for trial in state.trials.values() if trial.status == "complete"]
    sizes = [trial.profile.size_bytes for trial in complete if trial.profile]
    place = f"{deployment.device}, {many(deployment.threads, 'thread')}, batch of {deployment.batch_size:,}"
    parts = [f"Measured on {place}." if front_axis(state).name == LATENCY else ""]
    if front:
        ends = narrative.format_size(min(sizes)), narrative.format_size(max(sizes))
        parts += [f"Marker size: size of the model ({ends[0] if ends[0] == ends[1] else ' to '.join(ends)})."]
        parts += ["Bars: 95 % intervals.", "Faint points are dominated or were stopped.", "A double click shows all points."]
    return " ".join(filter(None, parts))


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
            f"{latency_text(profile.latency_ms, 4)} ({latency_range(profile.latency.low, profile.latency.high)})",
            f"{profile.size_bytes / 1e3:.1f} kB, {profile.parameters:,} parameters, {trial.variant.name}",
            *(f"{cost.label} {cost.show(trial)}" for cost in other_costs(state) if cost.show(trial)),
        ]
    return "<br>".join(label(line, 120) for line in lines if line)


def _with_layout(figure: go.Figure, state: StudyState, axis: ErrorAxis, theme: Theme) -> go.Figure:
    cost, limit = front_axis(state), state.settings.deployment.max_latency_ms
    costs = [value for value in finite_costs(cost, state.trials.values()) if value > 0 or not cost.log]
    view = in_view(finite_costs(cost, state.front()), costs)
    view = _with_limit(state, view) if cost.name == LATENCY else view
    errors = [y for trace in figure.data for y in trace.y if y is not None]
    seen = in_view([y for trial in state.front() if (y := _height(state, axis, trial)) is not None], errors)
    unit = latency_unit([log_ends(view)[1]]) if cost.name == LATENCY else ""
    title = f"latency, {unit} per call" if unit else f"{label(cost.title)} ({better(cost.objective)})"
    apply_theme(
        figure,
        theme,
        height=520,
        xaxis={**across(cost, view, costs), "title": {"text": title}},
        yaxis=up(state, axis, seen, errors),
        clickmode="event",
    )
    names = {name for name, _, _ in LINES.values()}
    if not any(len(trace.y) for trace in figure.data if trace.name not in names):
        figure.add_annotation(
            **note("no model yet; each will appear here as a point" if state.ended is None else "no model was found")
        )
    if cost.name == LATENCY and limit is not None:
        _draw_limit(figure, limit)
    name_reference_lines(figure, state)
    return figure


def _with_limit(state: StudyState, view: list[float]) -> list[float]:
    """The latencies that the axis has to include: those in view, and a limit near them."""
    if not view and state.host_benchmark:  # the expected range, from the fastest network
        fastest = state.host_benchmark.benchmark.fastest.latency_ms
        view = [fastest, SLOWER * fastest]
    limit = state.settings.deployment.max_latency_ms
    near = limit is not None and (not view or min(view) / NEAR <= limit <= max(view) * NEAR)
    return [*view, limit] if limit is not None and near else view or list(USUAL)


def _draw_limit(figure: go.Figure, limit: float) -> None:
    """Draw the limit as a line with a label; the label is at the nearest edge if the line is out of range."""
    at = math.log10(limit)  # annotations are placed by the logarithm, lines by the value
    low, high = figure.layout.xaxis.range
    text, x = f"limit {latency_text(limit)}", min(high, max(low, at))
    anchor = "right" if x > (low + high) / 2 else "left"  # it does not leave a narrow page
    text = f"{text} ▸" if at > high else f"◂ {text}" if at < low else text
    figure.add_vline(limit, line={"color": ORANGE, "dash": "dash"}, annotation_text=text)
    figure.layout.annotations[-1].update(x=x, xanchor=anchor)


def _points(state: StudyState, axis: ErrorAxis, trials: list[Trial], name: str) -> dict[str, Any]:
    cost = front_axis(state)
    return {
        "x": [_or_none(cost.value(trial)) for trial in trials],
        "y": [_height(state, axis, trial) for trial in trials],
        "mode": "markers",
        "name": name,
        "text": [hover(state, trial) for trial in trials],
        "customdata": [trial.number for trial in trials],
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": bool(trials),
    }


def _height(state: StudyState, axis: ErrorAxis, trial: Trial) -> float | None:
    """Where a trial is drawn, by its last score."""
    score = last_score(state, trial)
    return None if score is None or not math.isfinite(score) else axis.value(score)


def _worst(state: StudyState, axis: ErrorAxis, front: list[Trial]) -> float:
    """Where trials without a comparable score are drawn: level with the worst model of the front, or the worst score."""
    known = [y for trial in front or state.trials.values() if (y := _height(state, axis, trial)) is not None]
    upside = axis.kind == "score" and state.settings.objectives[0].direction == "maximize"
    return (min if upside else max)(known, default=0.0 if axis.kind == "score" else 1.0)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


class _Looks:
    """The markers of points: their size by that of the model, their colour by another cost, on one scale for all.

    Args:
        cost: The cost of the colours; None for one colour.
        trials: The trials that the scales span.
    """

    def __init__(self, cost: CostAxis | None, trials: list[Trial]) -> None:
        known = [value for trial in trials if cost and not math.isnan(value := cost.value(trial))]
        self._cost, self._ends = cost, {"cmin": min(known), "cmax": max(known)} if known else {}
        sizes = [math.log(trial.profile.size_bytes) for trial in trials if trial.profile and trial.profile.size_bytes > 0]
        self._range = (min(sizes), max(sizes)) if sizes else (0.0, 0.0)

    def marker(self, trials: list[Trial], *, bar: bool = False) -> dict[str, Any]:
        """The markers of trials.

        Args:
            trials: The trials.
            bar: Whether they show the scale of colours.
        """
        shared = {"size": [self._diameter(trial) for trial in trials], "line": {"width": 1, "color": GREY}}
        if self._cost is None:
            return shared | {"color": BLUE}
        title = {"text": label(self._cost.title), "side": "right"}
        shown = {"colorbar": {"title": title, "thickness": 12, "outlinewidth": 0, **WHOLE}, "showscale": bool(trials)}
        colours = {"color": [_or_none(self._cost.value(trial)) for trial in trials], "colorscale": SCALE}
        return shared | colours | self._ends | (shown if bar else {})

    def _diameter(self, trial: Trial) -> float:
        """By the logarithm of the model's size, in pixels."""
        if not trial.profile or trial.profile.size_bytes <= 0:
            return SMALLEST
        low, high = self._range
        share = (math.log(trial.profile.size_bytes) - low) / (high - low) if high > low else 0.4
        return round(SMALLEST + (LARGEST - SMALLEST) * share, 1)


def _score_interval(state: StudyState, axis: ErrorAxis, trials: list[Trial]) -> dict[str, Any] | None:
    """The 95 % intervals of the scores; None if none is known."""
    known = [score_interval(state, trial) for trial in trials]
    if not any(known):
        return None
    above, below = [], []
    for trial, ends in zip(trials, known, strict=True):
        at = axis.value(state.score(trial))
        heights = [axis.value(end) for end in ends or ()] or [at]
        above.append(max(0.0, max(heights) - at))
        below.append(max(0.0, at - min(heights)))
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "color": GREY, "thickness": 1}


def _interval(trials: list[Trial]) -> dict[str, Any]:
    latencies = [trial.profile.latency for trial in trials if trial.profile]
    above, below = (
        [latency.high - latency.median for latency in latencies],
        [latency.median - latency.low for latency in latencies],
    )
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "color": GREY, "thickness": 1}
