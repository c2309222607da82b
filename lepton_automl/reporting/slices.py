"""Hyperparameters against the score: one as a slice, two as a contour."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_automl.space import Hyperparameter
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from . import narrative
from .front_axes import ErrorAxis, error_axis, up
from .importance import shown_hyperparameters
from .labels import label, tick
from .tables import last_score
from .theme import BLUE, GREY, ORANGE, SCALE, Theme, apply_theme, linear_ends, log_ticks, note

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST = 1_000  # the latest trials shown
GRID = 24  # cells of a contour in each direction
REACH = 0.12  # of an axis: how far a trial's score is felt in a contour
ENOUGH = 0.02  # weight of all trials at a cell, below which nothing is drawn: no trial is near
FEWEST = 4  # trials that a contour needs
RIM = 0.06  # of an axis: padding at its ends
Place = tuple[list[float], dict[str, Any]]  # the positions of trials, and the axis


def varied_hyperparameters(state: StudyState) -> list[str]:
    """The hyperparameters that differ between scored trials, the most important first."""
    configs = [trial.proposed.config for trial in scored(state)]
    varied = [name for name in state.settings.space if len({repr(config.get(name)) for config in configs} - {"None"}) > 1]
    ranked = [name for name in shown_hyperparameters(state.ranked) if name in varied]
    return [*ranked, *(name for name in varied if name not in ranked)]


def scored(state: StudyState) -> list[Trial]:
    """The latest trials with a score, of the artifact or of their last report."""
    return [trial for trial in state.trials.values() if math.isfinite(_score(state, trial))][-MOST:]


def slice_figure(state: StudyState, across: str = "", upward: str = "", theme: Theme = "neutral") -> go.Figure:
    """The score against a hyperparameter; against two, as colour, with a contour where trials are near.

    The contour is a weighted mean of the trials around each place, not a model of the search. Trials in which a
    hyperparameter was not used are left out.

    Args:
        state: The study, at any time.
        across: The hyperparameter on the horizontal axis; empty for the most important one.
        upward: The one on the vertical axis; empty for the score.
        theme: See `theme.template`.

    Returns:
        Traces `contour`, `trials`, `front`; each point's `customdata` is its trial's number.
    """
    import plotly.graph_objects as go

    across = across or next(iter(varied_hyperparameters(state)), "")
    names = [name for name in (across, upward) if name]
    trials = [trial for trial in scored(state) if names and all(name in trial.proposed.config for name in names)]
    axis, front = error_axis(state), {trial.number for trial in state.front()}
    heights = [axis.value(_score(state, trial)) for trial in trials]
    x, xaxis = _place(state, across, trials)
    y, yaxis = _place(state, upward, trials) if upward else (heights, up(state, axis, heights, heights))
    values = [math.log10(height) if axis.log else height for height in heights]
    figure = go.Figure()
    figure.add_contour(**_contour(x, y, values, axis) if upward else _no_contour())
    colours = _colours(values, axis, bar=bool(upward))
    for name, member, size, edge in (("trials", False, 8, GREY), ("front", True, 12, ORANGE)):
        shown = [at for at, trial in enumerate(trials) if (trial.number in front) is member]
        look = colours | {"color": [values[at] for at in shown]} if upward else {"color": BLUE, "showscale": False}
        look |= {"size": size, "line": {"width": 1 + member, "color": edge}}
        figure.add_scatter(
            x=[x[at] for at in shown],
            y=[y[at] for at in shown],
            customdata=[trials[at].number for at in shown],
            text=[_hover(state, trials[at], names) for at in shown],
            mode="markers",
            name=name,
            marker=look,
            opacity=1.0 if member else 0.65,
            hovertemplate="%{text}<extra></extra>",
        )
    empty = "no hyperparameter differs between trials yet" if not across else "no trial with a score has used both"
    apply_theme(figure, theme, height=420, xaxis=xaxis, yaxis=yaxis, annotations=[] if trials else [note(empty)])
    return figure


def _score(state: StudyState, trial: Trial) -> float:
    score = last_score(state, trial)
    return math.nan if score is None else score


def _place(state: StudyState, name: str, trials: list[Trial]) -> Place:
    """Where trials are by a hyperparameter, on a linear axis: categories in order, logarithms, or plain numbers."""
    title = {"title": {"text": label(name)}, "type": "linear"}
    if not name or not trials:
        return [], {**title, "range": [0, 1]}
    hyperparameter, settings = state.settings.space[name], [trial.proposed.config[name] for trial in trials]
    if hyperparameter.choices or any(isinstance(setting, str | bool) for setting in settings):
        return _categories(hyperparameter, settings, title)
    numbers = [float(setting) for setting in settings]
    if hyperparameter.log and min(numbers) > 0:
        places = [math.log10(number) for number in numbers]
        ticks = log_ticks(min(numbers), max(numbers))
        marks = {"tickvals": [math.log10(mark) for mark in ticks], "ticktext": [f"{mark:g}" for mark in ticks]}
        return places, {**title, **marks, "range": _padded(places)}
    return numbers, {**title, "range": _padded(numbers), "tickvals": None, "ticktext": None}


def _categories(hyperparameter: Hyperparameter, settings: list[Any], title: dict[str, Any]) -> Place:
    known = list({repr(setting): setting for setting in (*hyperparameter.choices, *settings)}.values())
    place = {repr(setting): float(at) for at, setting in enumerate(known)}
    marks = {"tickvals": list(range(len(known))), "ticktext": [tick(setting) for setting in known]}
    return [place[repr(setting)] for setting in settings], {**title, **marks, "range": [-0.5, len(known) - 0.5]}


def _padded(places: list[float]) -> list[float]:
    low, high = linear_ends(places)
    rim = RIM * (high - low)
    return [low - rim, high + rim]


def _contour(x: list[float], y: list[float], values: list[float], axis: ErrorAxis) -> dict[str, Any]:
    """A smooth surface through the scores, empty where no trial is near."""
    if len(values) < FEWEST:
        return _no_contour()
    places, z = np.array([x, y]), np.array(values)  # [2, N], [N]
    low, span = places.min(1, keepdims=True), np.ptp(places, axis=1, keepdims=True)
    if not span.all():
        return _no_contour()
    unit = (places - low) / span
    steps = np.linspace(0.0, 1.0, GRID)
    cells = np.stack(np.meshgrid(steps, steps))  # [2, GRID, GRID]: across, upward
    distances = ((cells[..., None] - unit[:, None, None, :]) ** 2).sum(0)  # [GRID, GRID, N]
    weights = np.exp(-distances / (2 * REACH**2))
    whole = weights.sum(-1)
    surface = (weights @ z) / np.maximum(whole, 1e-12)
    shown = [
        [float(cell) if near > ENOUGH else None for cell, near in zip(*row, strict=True)]
        for row in zip(surface, whole, strict=True)
    ]
    ends = {"zmin": float(z.min()), "zmax": float(z.max())}
    across, upward = (low + span * steps).tolist()
    return {**_no_contour(), "x": across, "y": upward, "z": shown, **ends, "reversescale": _less_is_better(axis)}


def _no_contour() -> dict[str, Any]:
    lines = {"coloring": "heatmap", "showlines": False}
    look = {
        "colorscale": SCALE,
        "showscale": False,
        "opacity": 0.35,
        "contours": lines,
        "hoverinfo": "skip",
        "line": {"width": 0},
    }
    return {"x": [], "y": [], "z": [], "name": "contour", **look}


def _colours(values: list[float], axis: ErrorAxis, *, bar: bool) -> dict[str, Any]:
    """The colours of scores, amber for the best, with their scale in the score's own numbers."""
    ends = {"cmin": min(values), "cmax": max(values)} if values else {}
    marks = np.linspace(min(values), max(values), 4).tolist() if values else []
    texts = [axis.show(float(f"{10**mark if axis.log else mark:.3g}")) for mark in marks]
    title = {"text": axis.title.partition(" (")[0], "side": "right"}
    shown = {"title": title, "thickness": 12, "outlinewidth": 0, "tickvals": marks, "ticktext": texts}
    return {
        "colorscale": SCALE,
        "reversescale": _less_is_better(axis),
        "colorbar": shown,
        "showscale": bar and bool(values),
        **ends,
    }


def _less_is_better(axis: ErrorAxis) -> bool:
    return axis.log


def _hover(state: StudyState, trial: Trial, names: list[str]) -> str:
    score = narrative.format_score(state, _score(state, trial))
    lines = [f"trial {trial.number}: {score}", *(f"{name} = {_setting(trial.proposed.config[name])}" for name in names)]
    return "<br>".join(label(line, 120) for line in lines)


def _setting(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
