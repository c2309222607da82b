"""A study's front and trials as rows, for a DataFrame, an MLflow table, or a shell."""

from __future__ import annotations

import math
from typing import Any

from lepton_automl.bottleneck import Bottleneck
from lepton_automl.errors import LeptonError
from lepton_automl.objective import Objective
from lepton_automl.recipe import describe, recipe_from_json
from lepton_automl.state import StudyState, Trial

Row = dict[str, Any]
WHOLE = ("memory_bytes", "macs")  # other costs that are integers
COSTS = ("latency_ms", "latency_ms_low", "latency_ms_high", "size_bytes", "parameters")


def front_table(state: StudyState) -> list[Row]:
    """Every model on the Pareto front, best score first.

    Returns:
        For each: `trial`, the score by its metric's name, `test_…` once the test split was opened, `latency_ms` with the
        ends of its 95 % interval, `size_bytes`, `parameters`, the other costs that are objectives, the measured `variant` (runtime and precision), whether
        it is `chosen`, and its `network` in a line.
    """
    chosen = chosen_trial(state)
    return [
        {"trial": trial.number}
        | {state.settings.metric: state.score(trial)}
        | _tested(state, trial)
        | _costs(trial)
        | _other_costs(state, trial)
        | {"variant": trial.variant.name, "chosen": trial.number == chosen, "network": network(trial)}
        for trial in state.front()
    ]


def front_columns(state: StudyState) -> list[str]:
    """The columns of `front_table`, also for an empty front."""
    metric = state.settings.metric
    tested = [f"test_{metric}"] if state.tested else []
    others = [goal.name for goal in other_objectives(state)]
    return ["trial", metric, *tested, *COSTS, *others, "variant", "chosen", "network"]


def front_json(state: StudyState) -> Row:
    """The front as JSON.

    Returns:
        `study`, `metric`, `chosen` (a trial's number), `test_score` (the chosen model's, None until the test split was
        opened) and `models`: for each, the row of `front_table` with its score as `score`.
    """
    settings, chosen = state.settings, chosen_trial(state)
    tested = state.tested.scores.get(chosen, {}) if state.tested and chosen is not None else {}
    models = [row | {"score": row[settings.metric]} for row in front_table(state)]
    head = {"study": settings.name, "metric": settings.metric, "deployment": settings.deployment.to_json(), "chosen": chosen}
    return head | {"test_score": tested.get(settings.metric), "models": models}


def trial_table(state: StudyState) -> list[Row]:
    """Every candidate in the order proposed: its status, its scores and costs, and the setting of each hyperparameter."""
    front = {trial.number for trial in state.front()}
    return [_trial_row(state, trial, on_front=trial.number in front) for trial in state.trials.values()]


def _trial_row(state: StudyState, trial: Trial, *, on_front: bool) -> Row:
    result = trial.result
    head = {"trial": trial.number, "status": trial.status, "on_front": on_front, "origin": trial.proposed.origin}
    score = {state.settings.metric: last_score(state, trial)}
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
    metric = state.settings.metric
    return {f"test_{metric}": state.tested.scores.get(trial.number, {}).get(metric)}


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
