"""Choosing a model from a front."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from . import front
from .credible import LATENCY
from .errors import ConfigError, LimitError, one_of
from .no_model_advice import no_model
from .objective import Direction, Objective, known_costs
from .profile import PROFILED
from .resampled import ResampledScores, paired_error

if TYPE_CHECKING:
    from .state import StudyState
    from .trial import Trial

FAR_WORSE = 4.0  # times the best model's error; a model beyond it is never the knee
POINTS = 0.003  # of a share: how far the default choice may be behind the best score
SHARE = 0.005  # the same of an error, as a share of it
LEAST_GAIN = 0.1  # share of the latency that a less accurate model must save to be the default choice


def choose_model(
    state: StudyState,
    *,
    max_latency_ms: float | None = None,
    min_score: float | None = None,
    limits: Mapping[str, float] | None = None,
    knee: bool = False,
) -> Trial:
    """A model of the front, merged ones included.

    With limits, it is the model with the best score that meets them; with only a minimum score, the fastest that reaches it.
    With neither, it is the fastest model that is as good as the most accurate one, as far as that is known: its score is behind
    by no more than one standard error of the paired difference, and by no more than 0.3 points (an error: 0.5 % of it). A
    faster model is not taken if it saves less than 10 % of the latency.

    Args:
        state: The study.
        max_latency_ms: Maximum latency of one call, in milliseconds.
        min_score: The worst acceptable score, in the metric's own unit (the maximum, if lower is better).
        limits: Maximum costs, by the names of their objectives: `{"memory_bytes": 5e6}`.
        knee: Choose the knee of the front among the models that meet the limits.

    Raises:
        StudyError: No trial is complete.
        ConfigError: A limit is on a cost that this study did not measure.
        LimitError: No model on the front meets the limits; the message gives the best values there.
    """
    costs = _limited_costs(state, limits or {})
    models = state.front(merged=True)
    if not models:
        raise no_model(state)
    goal = state.settings.objectives[0]
    upper = dict(limits or {}) | ({} if max_latency_ms is None else {LATENCY: max_latency_ms})
    good = [model for model in models if all(_value(model, name) <= limit for name, limit in upper.items())]
    if min_score is not None:
        good = [m for m in good if goal.cost(state.score(m)) <= goal.cost(min_score)]
    if not good:
        raise LimitError(_nearest(state, models, costs, upper, min_score), where=state.settings.name)
    if knee:
        return _knee(state, good)
    if not upper and min_score is None:
        chosen = as_good_as_best([candidate(state, model) for model in good], goal.direction)
        return next(model for model in good if model.number == chosen.number)
    return good[0] if upper else min(good, key=_latency)


@dataclass(frozen=True)
class Candidate:
    """What the default choice knows of a model.

    Args:
        number: The number of its trial.
        score: Its score.
        cost: Its first cost, less is better; 0 if there is none.
        in_bag: Its scores on the study's resamples, as in `ResampledScores`; empty if there are none.
        out_of_bag: Likewise on the rows that each resample left out.
    """

    number: int
    score: float
    cost: float
    in_bag: str = ""
    out_of_bag: str = ""


def candidate(state: StudyState, trial: Trial) -> Candidate:
    """A trial with an artifact as a candidate."""
    goal, *costs = state.settings.objectives
    cost, resampled = costs[0].cost(state.value(trial, costs[0])) if costs else 0.0, trial.resampled or ResampledScores()
    return Candidate(trial.number, state.value(trial, goal), cost, resampled.in_bag, resampled.out_of_bag)


def as_good_as_best(models: Sequence[Candidate], direction: Direction) -> Candidate:
    """The cheapest model whose score is as good as the best one, as far as that is known; see `choose_model`.

    Args:
        models: The models, with finite scores and costs.
        direction: Whether a higher or a lower score is better.
    """
    sign = -1 if direction == "maximize" else 1
    ordered = sorted(models, key=lambda model: (sign * model.score, model.cost, model.number))
    best, near = ordered[0], [ordered[0]]
    allowed = SHARE * abs(best.score) if direction == "minimize" or abs(best.score) > 1 else POINTS
    for model in ordered[1:]:
        behind = sign * (model.score - best.score)
        if behind > allowed:
            break
        if behind <= paired_error(best.in_bag, model.in_bag):
            near.append(model)
    least = min(model.cost for model in near)
    return next(model for model in near if model.cost - least <= LEAST_GAIN * abs(model.cost))


def _limited_costs(state: StudyState, limits: Mapping[str, float]) -> dict[str, Objective]:
    """The costs that a model can be chosen by: those that are measured for every model, and those that are objectives.

    Raises:
        ConfigError: A limit is on another cost, or is not a number.
    """
    declared = {objective.name: objective for objective in state.settings.objectives if not objective.is_score}
    known = {name: cost for name, cost in known_costs().items() if name in PROFILED} | declared
    for name, limit in limits.items():
        if name not in known:
            what = f"{name!r} is not a cost that this study measured."
            raise ConfigError(what, where="best", fix=one_of(name, known))
        if isinstance(limit, bool) or not isinstance(limit, int | float):
            raise ConfigError(f"the limit on {name} is {limit!r}", where="best", fix="Pass a number.")
    return known


def _value(model: Trial, name: str) -> float:
    """A cost; infinite if it is unknown."""
    value = model.profile.value(name) if model.profile else math.nan
    return math.inf if math.isnan(value) else value


def _nearest(
    state: StudyState,
    models: list[Trial],
    costs: Mapping[str, Objective],
    limits: Mapping[str, float],
    min_score: float | None,
) -> str:
    latency = min(_latency(model) for model in models)
    requirements = [f"{costs[name].title} <= {limit:g} {costs[name].unit}".rstrip() for name, limit in limits.items()]
    if min_score is not None:
        requirements.append(f"{state.settings.metric} of {min_score:g}")
    least = [
        f", the least {costs[name].title} is {costs[name].show(min(_value(model, name) for model in models))}"
        for name in limits
        if name != LATENCY
    ]
    return (
        f"no model on the front has {' and '.join(requirements)}; the fastest takes {latency:.3g} ms{''.join(least)}, "
        f"the best {state.settings.metric} is {state.score(models[0]):.4g}"
    )


def _knee(state: StudyState, models: list[Trial]) -> Trial:
    """The knee of models on logarithmic axes, among the models that are not far worse than the best.

    Otherwise one useless but very fast network would move the knee. Of two models that remain, it is the one
    that is better by the first cost, such as the faster one.
    """
    errors = [_log_error(state, state.score(model)) for model in models]
    near = [row for row in range(len(models)) if errors[row] <= min(errors) + math.log(FAR_WORSE)]
    if len(state.settings.objectives) < 2:
        return models[near[0]]
    if len(near) < 3:
        return min((models[row] for row in near), key=partial(_scaled_costs, state))
    costs = [[errors[row], *_scaled_costs(state, models[row])] for row in near]
    return models[near[front.knee(costs)]]


def _log_error(state: StudyState, score: float) -> float:
    """The logarithm of an error: of 1 minus a share (at least half a row), or of a score to minimise (RMSE is squared)."""
    goal = state.settings.objectives[0]
    if goal.direction == "minimize":
        return (2 if state.settings.metric == "rmse" else 1) * math.log(max(score, 1e-12))
    rows = state.settings.data.validation or state.settings.data.train
    return math.log(max(1 - score, 0.5 / max(rows, 1)))


def _scaled_costs(state: StudyState, trial: Trial) -> list[float]:
    """All costs except the score, on their scales."""
    goals = state.settings.objectives[1:]
    return [
        goal.search_cost(max(state.value(trial, goal), 1e-9) if goal.scale == "log" else state.value(trial, goal))
        for goal in goals
    ]


def _latency(trial: Trial) -> float:
    return trial.profile.latency_ms if trial.profile else math.inf
