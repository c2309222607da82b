"""Parallel coordinates: each trial a line through its hyperparameters, its costs and its score."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lepton_automl.space import Hyperparameter
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .cost_axes import other_costs
from .importance import shown_hyperparameters
from .labels import label, tick
from .tables import last_score
from .theme import (
    SCALE,
    Theme,
    apply_theme,
    log_ticks,
    note,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_HYPERPARAMETERS, MOST_TRIALS = 8, 1_000
TICKS = 5
Axis = dict[str, Any]


def parallel_figure(state: StudyState, theme: Theme = "neutral") -> go.Figure:
    """Hyperparameters, costs and score of every trial that was scored; drag along an axis to select lines.

    The most important hyperparameters are shown, if the search has ranked them. Scores of stopped trials are their last ones.

    Returns:
        One trace; its `customdata` holds the trials' numbers.
    """
    import plotly.graph_objects as go

    trials = [trial for trial in state.trials.values() if trial.profile and last_score(state, trial) is not None][-MOST_TRIALS:]
    scores = [last_score(state, trial) or 0.0 for trial in trials]
    line = {"color": _ranks(state, scores), "colorscale": SCALE, "cmin": 0.0, "cmax": 1.0, "showscale": False}
    axes = (
        [_hyperparameter_axis(name, state.settings.space[name], trials) for name in _hyperparameters(state)] if trials else []
    )
    if trials:
        latencies = [trial.profile.latency_ms for trial in trials if trial.profile]
        axes += [
            _log_axis("latency, ms", latencies),
            *_cost_axes(state, trials),
            {"label": label(state.settings.metric, 20), "values": scores},
        ]
    trace = go.Parcoords(line=line, dimensions=axes, customdata=[trial.number for trial in trials], labelangle=-20)
    margin = {"t": 90, "b": 24, "l": 90, "r": 60}
    return apply_theme(
        go.Figure(trace), theme, height=420, margin=margin, annotations=[] if trials else [note("no trial has a score yet")]
    )


def _cost_axes(state: StudyState, trials: list[Trial]) -> list[Axis]:
    """An axis for each other cost that is an objective and known for every trial."""
    axes = []
    for cost in other_costs(state):
        values, name = [cost.value(trial) for trial in trials], label(cost.title, 20)
        if not any(map(math.isnan, values)):
            axes.append(_log_axis(name, values) if cost.log else {"label": name, "values": values})
    return axes


def _ranks(state: StudyState, scores: list[float]) -> list[float]:
    """The rank of each score, from 0 (worst) to 1: scores themselves would crowd at the good end."""
    sign = 1 if state.settings.objectives[0].direction == "maximize" else -1
    order = sorted({sign * score for score in scores})
    place = {score: at / max(1, len(order) - 1) for at, score in enumerate(order)}
    return [place[sign * score] for score in scores]


def _hyperparameters(state: StudyState) -> list[str]:
    """The most important of the hyperparameters that differ between trials."""
    configs = [trial.proposed.config for trial in state.trials.values() if not trial.is_ensemble]
    varied = [
        hyperparameter
        for hyperparameter in state.settings.space
        if len({config.get(hyperparameter) for config in configs} - {None}) > 1
    ]
    ranked = [hyperparameter for hyperparameter in shown_hyperparameters(state.ranked) if hyperparameter in varied]
    chosen = {*(ranked + [hyperparameter for hyperparameter in varied if hyperparameter not in ranked])[:MOST_HYPERPARAMETERS]}
    return [hyperparameter for hyperparameter in varied if hyperparameter in chosen]


def _hyperparameter_axis(name: str, hyperparameter: Hyperparameter, trials: list[Trial]) -> Axis:
    """An axis by the kind of hyperparameter: categories in order, logarithms, or plain numbers."""
    settings = [trial.proposed.config.get(name, hyperparameter.default) for trial in trials]
    if hyperparameter.choices or any(isinstance(setting, str | bool) for setting in settings):
        known = [
            *hyperparameter.choices,
            *dict.fromkeys(setting for setting in settings if setting not in hyperparameter.choices),
        ]
        ticks = {"tickvals": list(range(len(known))), "ticktext": [tick(choice) for choice in known]}
        place = {_key(choice): at for at, choice in enumerate(known)}
        values = [place[_key(setting)] for setting in settings]
        return {"label": _short(name), "values": values, "range": [-0.2, max(len(known) - 0.8, 0.2)], **ticks}
    numbers = [float(setting) for setting in settings]
    if hyperparameter.log and min(numbers) > 0:
        return _log_axis(_short(name), numbers)
    whole = hyperparameter.integer and max(numbers) - min(numbers) < 2 * TICKS
    ticks = {"tickvals": list(range(int(min(numbers)), int(max(numbers)) + 1))} if whole else {}
    return {"label": _short(name), "values": numbers, **ticks}


def _key(setting: object) -> tuple[str, object]:
    return type(setting).__name__, setting  # tells True from 1


def _short(name: str) -> str:
    return label(name.partition(".")[2] or name, 20)


def _log_axis(name: str, numbers: list[float]) -> Axis:
    values = [math.log10(max(number, 1e-12)) for number in numbers]
    ticks = log_ticks(min(numbers), max(numbers))
    return {
        "label": name,
        "values": values,
        "tickvals": [math.log10(tick) for tick in ticks],
        "ticktext": [f"{tick:g}" for tick in ticks],
    }
