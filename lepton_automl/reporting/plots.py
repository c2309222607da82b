"""The front as a picture that one can point at: one HTML file that needs no network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from lepton_automl.state import StudyState, Trial

from .tables import chosen_trial, front_table, last_score, network

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Blue and orange of Okabe and Ito (Color Universal Design, 2008), and cividis: told apart by every kind of eye.
LINE, MARK = "#0072B2", "#D55E00"
SCALE = "Cividis"
STYLE = (
    "body{font:14px system-ui,sans-serif;margin:1rem;color:#222;background:#fff}table{border-collapse:collapse}"
    "td,th{padding:.2rem .7rem;text-align:right}td:last-child,th:last-child{text-align:left}tr.chosen{font-weight:600}"
    "th{border-bottom:1px solid #999}"
)


def front_html(state: StudyState) -> str:
    """A page with the score against the latency of every trial, and the front as a table.

    Args:
        state: The study, at any time.

    Returns:
        HTML that holds all it needs (4.8 MB, nearly all of it plotly.js).
    """
    plot = front_figure(state).to_html(
        full_html=False, include_plotlyjs=True, config={"responsive": True, "displaylogo": False}
    )
    name = escape(state.settings.name)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style></head>'
        f"<body><h1>{name}</h1>{plot}{_table(state)}</body></html>\n"
    )


def front_figure(state: StudyState) -> go.Figure:
    """The picture alone.

    The line joins what no other model beats. Fainter points were beaten, or stopped in training (their last score);
    ticks at the bottom broke a hard limit and were not trained.
    """
    import plotly.graph_objects as go

    front = state.front()
    ended = [trial for trial in state.trials.values() if trial.profile]
    beaten = [trial for trial in ended if trial.status == "complete" and trial not in front]
    stopped = [trial for trial in ended if trial.status == "stopped" and last_score(state, trial) is not None]
    infeasible = [trial for trial in ended if trial.status == "infeasible"]
    figure = go.Figure()
    if front:
        path = {"x": _latencies(front), "y": _scores(state, front), "line": {"color": LINE, "width": 1, "shape": "hv"}}
        figure.add_scatter(**path, mode="lines", name="front", hoverinfo="skip", showlegend=False)
    sizes = [trial.profile.size_bytes / 1024 for trial in (*front, *beaten) if trial.profile]
    figure.add_scatter(**_points(state, stopped, "stopped"), marker={"symbol": "x", "color": "#777", "size": 6}, opacity=0.35)
    figure.add_scatter(**_points(state, beaten, "beaten"), marker=_colour(beaten, sizes, 7), opacity=0.4)
    bottom = [min((score for trial in ended if (score := last_score(state, trial)) is not None), default=0.0)] * len(infeasible)
    ticks = {"symbol": "line-ns-open", "color": "#777", "size": 9}
    figure.add_scatter(**_points(state, infeasible, "infeasible") | {"y": bottom}, marker=ticks, opacity=0.35)
    bar = {"title": "size, KiB"} if front else None
    figure.add_scatter(
        **_points(state, front, "front"), error_x=_interval(front), marker=_colour(front, sizes, 11) | {"colorbar": bar}
    )
    chosen = [trial for trial in front if trial.number == chosen_trial(state)]
    ring = {"symbol": "circle-open", "color": MARK, "size": 18, "line": {"width": 3}}
    figure.add_scatter(**_points(state, chosen, "chosen"), marker=ring)
    return _dressed(figure, state)


def _dressed(figure: go.Figure, state: StudyState) -> go.Figure:
    target, goal = state.settings.target, state.settings.objectives[0]
    better = "more is better" if goal.direction == "maximize" else "less is better"
    where = f"{target.device}, {target.threads} thread{'s' * (target.threads > 1)}, batch of {target.batch_size}"
    figure.update_layout(
        template="plotly_white",
        height=520,
        margin={"t": 40},
        legend={"orientation": "h", "y": 1.08},
        xaxis={"type": "log", "title": f"latency, ms a call ({where}); bars: 95 % interval", "minor": {"showgrid": True}},
        yaxis={"title": f"{escape(state.settings.metric)} on the validation split ({better})"},
    )
    if target.max_latency_ms is not None:
        text = f"limit {target.max_latency_ms:g} ms"
        figure.add_vline(target.max_latency_ms, line={"color": MARK, "dash": "dash"}, annotation_text=text)
    return figure


def _points(state: StudyState, trials: list[Trial], name: str) -> dict[str, Any]:
    return {
        "x": _latencies(trials),
        "y": _scores(state, trials),
        "mode": "markers",
        "name": name,
        "text": [_hover(state, trial) for trial in trials],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _hover(state: StudyState, trial: Trial) -> str:
    profile, score = trial.profile, last_score(state, trial)
    assert profile is not None
    lines = [
        f"trial {trial.number}: {trial.status}",
        f"{state.settings.metric} {score:.4f}" if score is not None else "not trained",
        f"{profile.latency_ms:.4g} ms ({profile.latency.low:.4g} to {profile.latency.high:.4g})",
        f"{profile.size_bytes / 1024:.1f} KiB, {profile.parameters:,} parameters",
        network(trial),
        trial.result.reason if trial.result else "",
    ]
    return "<br>".join(escape(line) for line in lines if line)


def _colour(trials: list[Trial], sizes: list[float], size: int) -> dict[str, Any]:
    own = [trial.profile.size_bytes / 1024 for trial in trials if trial.profile]
    limits = {"cmin": min(sizes), "cmax": max(sizes)} if sizes else {}
    return {"size": size, "color": own, "colorscale": SCALE, "line": {"width": 1, "color": "white"}} | limits


def _interval(trials: list[Trial]) -> dict[str, Any]:
    found = [trial.profile.latency for trial in trials if trial.profile]
    up, down = [one.high - one.median for one in found], [one.median - one.low for one in found]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": LINE, "thickness": 1}


def _latencies(trials: list[Trial]) -> list[float]:
    return [trial.profile.latency_ms for trial in trials if trial.profile]


def _scores(state: StudyState, trials: list[Trial]) -> list[float | None]:
    return [last_score(state, trial) for trial in trials]


def _table(state: StudyState) -> str:
    rows = front_table(state)
    if not rows:
        return "<p>No model is ready yet.</p>"
    names = [name for name in rows[0] if name != "chosen"]
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f'<tr class="{"chosen" if row["chosen"] else ""}">{"".join(f"<td>{_cell(row[name])}</td>" for name in names)}</tr>'
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else escape(f"{value:,}" if isinstance(value, int) else str(value))
