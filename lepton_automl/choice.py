"""Choosing a model from a front."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from . import front
from .errors import LimitError
from .no_model_advice import no_model

if TYPE_CHECKING:
    from .state import StudyState, Trial

FAR_WORSE = 4.0  # times the best model's error, beyond which none is handed over unasked


def choose_model(state: StudyState, *, max_latency_ms: float | None = None, min_score: float | None = None) -> Trial:
    """A model from the front; see `StudyState.choose`."""
    models = state.front()
    if not models:
        raise no_model(state)
    goal = state.settings.objectives[0]
    good = models
    if max_latency_ms is not None:
        good = [m for m in good if m.profile and m.profile.latency_ms <= max_latency_ms]
    if min_score is not None:
        good = [m for m in good if goal.cost(state.score(m)) <= goal.cost(min_score)]
    if not good:
        raise LimitError(_nearest(state, models, max_latency_ms, min_score), where=state.settings.name)
    if max_latency_ms is None and min_score is None:
        return _knee(state, good)
    return good[0] if max_latency_ms is not None else min(good, key=_latency)


def _nearest(state: StudyState, models: list[Trial], max_latency_ms: float | None, min_score: float | None) -> str:
    latency = min(_latency(model) for model in models)
    asked = [] if max_latency_ms is None else [f"latency <= {max_latency_ms:g} ms"]
    if min_score is not None:
        asked.append(f"{state.settings.metric} of {min_score:g}")
    return (
        f"no model on the front has {' and '.join(asked)}; the fastest takes {latency:.3g} ms, "
        f"the best {state.settings.metric} is {state.score(models[0]):.4g}"
    )


def _knee(state: StudyState, models: list[Trial]) -> Trial:
    """The knee of the front on logarithmic axes, among the models that are not far worse than the best.

    Without that, one useless but very fast network would move the knee. Of two models that are left, the faster.
    """
    errors = [_log_error(state, state.score(model)) for model in models]
    near = [row for row in range(len(models)) if errors[row] <= min(errors) + math.log(FAR_WORSE)]
    if len(near) < 3 or len(state.settings.objectives) < 2:
        return min((models[row] for row in near), key=_latency) if len(state.settings.objectives) > 1 else models[near[0]]
    costs = [[errors[row], *_scaled_costs(state, models[row])] for row in near]
    return models[near[front.knee(costs)]]


def _log_error(state: StudyState, score: float) -> float:
    """The logarithm of an error: of what a share lacks to 1 (half a row at least), or of a mean square."""
    goal = state.settings.objectives[0]
    if goal.direction == "minimize":
        return (2 if state.settings.metric == "rmse" else 1) * math.log(max(score, 1e-12))
    rows = state.settings.data.validation or state.settings.data.train
    return math.log(max(1 - score, 0.5 / max(rows, 1)))


def _scaled_costs(state: StudyState, trial: Trial) -> list[float]:
    """The costs but for the score, on their scales."""
    goals = state.settings.objectives[1:]
    return [
        goal.search_cost(max(state.value(trial, goal), 1e-9) if goal.scale == "log" else state.value(trial, goal))
        for goal in goals
    ]


def _latency(trial: Trial) -> float:
    return trial.profile.latency_ms if trial.profile else math.inf
