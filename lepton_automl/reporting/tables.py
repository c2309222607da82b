"""A study's front and trials as rows, for a DataFrame, an MLflow table, or a shell."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from lepton_automl.bottleneck import Bottleneck
from lepton_automl.corrected import corrected_score
from lepton_automl.errors import LeptonError
from lepton_automl.objective import Objective
from lepton_automl.recipe import describe, recipe_from_json
from lepton_automl.resampled import paired_error
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

Row = dict[str, Any]
WHOLE = ("memory_bytes", "macs")  # other costs that are integers
COSTS = ("latency_ms", "latency_ms_low", "latency_ms_high", "size_bytes", "parameters")


def front_table(state: StudyState) -> list[Row]:
    """Every model on the Pareto front, best score first.

    Returns:
        For each: `trial`, the score by its metric's name with the ends of its 95 % interval (`…_low`, `…_high`), the same as
        `test_…` once the test split was opened, `latency_ms` with the ends of its 95 % interval, `size_bytes`, `parameters`, the other costs that are objectives, the measured `variant` (runtime and precision), whether
        it is `chosen`, and its `network` in a line.
    """
    return [_front_row(state, trial) for trial in state.front()]


def _front_row(state: StudyState, trial: Trial) -> Row:
    metric = state.settings.metric
    return (
        {"trial": trial.number, metric: state.score(trial)}
        | dict(zip(_ends(metric), score_interval(state, trial) or (None, None), strict=True))
        | _tested(state, trial)
        | _costs(trial)
        | _other_costs(state, trial)
        | {"variant": trial.variant.name, "chosen": trial.number == chosen_trial(state), "network": network(trial)}
    )


def _ends(metric: str) -> tuple[str, str]:
    """The columns of a score's interval."""
    return f"{metric}_low", f"{metric}_high"


def merged_table(state: StudyState) -> list[Row]:
    """Every model that is merged into one of the front, best score first: the columns of `front_table`, and how it differs."""
    goal, rows = state.settings.objectives[0], []
    for trial in state.front(merged=True):
        if trial.number not in state.merged:
            continue
        into = state.trials[state.merged[trial.number]]
        bags = [model.resampled.in_bag if model.resampled else "" for model in (trial, into)]
        ratio = trial.profile.latency_ms / into.profile.latency_ms if trial.profile and into.profile else None
        differences = {
            "score_difference": state.value(trial, goal) - state.value(into, goal),
            "standard_error": paired_error(*bags),
        }
        rows.append(_front_row(state, trial) | {"into": into.number} | differences | {"latency_ratio": ratio})
    return rows


def merged_columns(state: StudyState) -> list[str]:
    """The columns of `merged_table`, also for an empty one."""
    return [*front_columns(state), "into", "score_difference", "standard_error", "latency_ratio"]


def score_interval(state: StudyState, trial: Trial) -> tuple[float, float] | None:
    """The 95 % interval of a model's validation score; None if it is not known."""
    return trial.resampled.intervals.get(state.settings.metric) if trial.resampled else None


def tested_interval(state: StudyState, trial: Trial) -> tuple[float, float] | None:
    """The 95 % interval of a model's test score; None if it is not known."""
    return state.tested.intervals.get(trial.number, {}).get(state.settings.metric) if state.tested else None


def front_columns(state: StudyState) -> list[str]:
    """The columns of `front_table`, also for an empty front."""
    metric = state.settings.metric
    tested = [f"test_{metric}", *_ends(f"test_{metric}")] if state.tested else []
    others = [goal.name for goal in other_objectives(state)]
    return ["trial", metric, *_ends(metric), *tested, *COSTS, *others, "variant", "chosen", "network"]


def front_json(state: StudyState) -> Row:
    """The front as JSON.

    Returns:
        `study`, `metric`, `chosen` (a trial's number), `test_score` (the chosen model's, None until the test split was
        opened), `corrected` (the score expected of the default choice on new rows; see `corrected_score`) and `models`: for
        each, the row of `front_table` with its score as `score`.
    """
    settings, chosen = state.settings, chosen_trial(state)
    tested = state.tested.scores.get(chosen, {}) if state.tested and chosen is not None else {}
    models = [row | {"score": row[settings.metric]} for row in front_table(state)]
    head = {"study": settings.name, "metric": settings.metric, "deployment": settings.deployment.to_json(), "chosen": chosen}
    corrected = corrected_score(state)
    corrected_json = dataclasses.asdict(corrected) if corrected else None
    return head | {"test_score": tested.get(settings.metric), "corrected": corrected_json, "models": models}


def trial_table(state: StudyState) -> list[Row]:
    """Every candidate in the order proposed: its status, its scores and costs, and the setting of each hyperparameter."""
    front = {trial.number for trial in state.front()}
    return [_trial_row(state, trial, on_front=trial.number in front) for trial in state.trials.values()]


def _trial_row(state: StudyState, trial: Trial, *, on_front: bool) -> Row:
    result = trial.result
    head = {"trial": trial.number, "status": trial.status, "on_front": on_front, "origin": trial.proposed.origin}
    metric = state.settings.metric
    score = {metric: last_score(state, trial)}
    score |= dict(zip(_ends(metric), score_interval(state, trial) or (None, None), strict=True))
    spent = {"epochs": trial.epochs, "seconds": result.seconds if result else None, "reason": result.reason if result else ""}
    return (
        head
        | score
        | _tested(state, trial)
        | _costs(trial)
        | _other_costs(state, trial)
        | spent
        | trial.proposed.config
        | {"network": network(trial)}
    )


def chosen_trial(state: StudyState) -> int | None:
    """The trial that a view is about: the one that the study chooses by default, unless another was named."""
    return default_choice(state) if state.shown is None else state.shown


def default_choice(state: StudyState) -> int | None:
    """The trial that the study chooses by default; for a running study, the current choice."""
    if state.ended:
        return state.ended.chosen
    return state.choose().number if state.front() else None


def last_score(state: StudyState, trial: Trial) -> float | None:
    """A trial's score: of the artifact, or else of the last report; None if there is none."""
    metric = state.settings.metric
    if metric in trial.scores:
        return trial.scores[metric]
    return next((report.scores[metric] for report in reversed(trial.reports) if metric in report.scores), None)


def with_interval(number: str, ends: tuple[float, float] | None) -> str:
    """A number and its 95 % interval as text: `"0.9620 (0.9410 to 0.9780)"`."""
    return number if ends is None else f"{number} ({ends[0]:.4g} to {ends[1]:.4g})"


def network(trial: Trial) -> str:
    """A trial's final network in a line; empty if it cannot be described."""
    try:
        return describe(recipe_from_json((trial.result and trial.result.recipe) or trial.proposed.recipe))
    except (LeptonError, TypeError):  # the family is missing or not installed
        return ""


def bottleneck_lines(bottleneck: Bottleneck, most: int = 8) -> list[str]:
    """The layers that take most of the time, and the best changes, as lines of a shell.

    Args:
        bottleneck: The report.
        most: How many of each.
    """
    rows = sorted(bottleneck.layers, key=lambda row: -row.time.ms)[:most]
    wide = max((len(row.time.layer) for row in rows), default=0)
    layers = [
        f"{row.time.layer:{wide}}  {1e3 * row.time.ms:8.2f} us  {100 * row.share:5.1f} %  {row.bound:10} "
        f"{100 * row.reach:3.0f} % of that limit"
        for row in rows
    ]
    changes = [
        f"{change.what}: {1e3 * change.predicted_ms:.2f} us predicted"
        + (f", {1e3 * change.actual.median:.2f} us gained" if change.actual else "")
        for change in bottleneck.changes[:most]
    ]
    return [*layers, *([""] if changes else []), *changes]


def _tested(state: StudyState, trial: Trial) -> Row:
    if state.tested is None:
        return {}
    name = f"test_{state.settings.metric}"
    ends = dict(zip(_ends(name), tested_interval(state, trial) or (None, None), strict=True))
    return {name: state.tested.scores.get(trial.number, {}).get(state.settings.metric)} | ends


def other_objectives(state: StudyState) -> list[Objective]:
    """The objectives that are neither the score nor one of the costs in every table."""
    return [goal for goal in state.settings.objectives if not goal.is_score and goal.name not in COSTS]


def _other_costs(state: StudyState, trial: Trial) -> Row:
    values = {goal.name: state.value(trial, goal) for goal in other_objectives(state)}
    return {name: None if math.isnan(value) else int(value) if name in WHOLE else value for name, value in values.items()}


def _costs(trial: Trial) -> Row:
    profile = trial.profile
    if profile is None:
        return dict.fromkeys(COSTS)
    latency = profile.latency
    return dict(zip(COSTS, (latency.median, latency.low, latency.high, profile.size_bytes, profile.parameters), strict=True))
