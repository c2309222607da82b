"""Export of a study to Optuna, for its plots and importances."""

from __future__ import annotations

import math
import warnings
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from lepton_automl.space import Setting, Space
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .samplers import distribution

STATES = {
    "complete": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "infeasible": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def to_optuna(state: StudyState) -> optuna.Study:
    """An in-memory Optuna study with every ended trial.

    Values are in the objectives' own directions and units. A trial that was stopped is PRUNED; one
    that exceeded a hard limit is PRUNED with its constraint above 0; neither has values, so `best_trials` is the front.
    Scores by epoch are intermediate values of complete trials, and the user attribute `curve` of pruned ones: Optuna 5's
    TPE cannot use pruned trials with intermediate values in a study of several objectives (its issue 5260).
    Trial numbers are Optuna's own; ours is the user attribute `trial`.

    Args:
        state: The study.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    goals = state.settings.objectives
    study = optuna.create_study(study_name=state.settings.name, directions=[goal.direction for goal in goals])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # axis names only
        study.set_metric_names([state.settings.metric if goal.is_score else goal.name for goal in goals])
    study.set_user_attr("budget", state.settings.budget.to_json())
    study.add_trials([to_frozen_trial(state, trial) for trial in state.trials.values() if trial.result is not None])
    return study


def to_frozen_trial(state: StudyState, trial: Trial) -> FrozenTrial:
    """One ended trial."""
    assert trial.result is not None
    settings = state.settings
    values = [state.search_value(trial, goal) for goal in settings.objectives]
    complete = trial.status == "complete" and not any(map(math.isnan, values))
    scores = {report.epoch: report.scores.get(settings.metric, math.nan) for report in trial.reports}
    curve = {epoch: score for epoch, score in scores.items() if not math.isnan(score)}
    pruned = trial.status in {"stopped", "infeasible"}
    frozen = create_trial(
        state=STATES[trial.status] if complete or trial.status != "complete" else TrialState.FAIL,
        values=values if complete else None,
        params=dict(trial.proposed.config),
        distributions=_distributions(settings.space, trial.proposed.config),
        intermediate_values={} if pruned else curve,
        user_attrs=_user_attrs(trial) | ({"curve": curve} if pruned else {}),
        constraints={"limits": state.settings.deployment.excess(trial.search_profile) if trial.search_profile else 0.0},
    )
    frozen.datetime_start = datetime.fromtimestamp(trial.proposed.at)
    frozen.datetime_complete = datetime.fromtimestamp(trial.ended_at or trial.proposed.at)
    return frozen


def _distributions(space: Space, config: dict[str, Setting]) -> dict[str, BaseDistribution]:
    """The distributions of the hyperparameters in a trial's configuration."""
    return {name: distribution(space[name]) for name in config}


def _user_attrs(trial: Trial) -> dict[str, Any]:
    """Everything else known about a trial, without empty values."""
    assert trial.result is not None
    attributes: dict[str, Any] = {
        "trial": trial.number,
        "uid": trial.proposed.uid,
        "origin": trial.proposed.origin,
        "status": trial.status,
        "reason": trial.result.reason,
        "epochs": trial.epochs,
        "seconds": trial.result.seconds,
        "parent": trial.proposed.parent,
        "teachers": ",".join(map(str, trial.proposed.teachers)),
        "members": ",".join(map(str, trial.proposed.members)),
        **trial.result.scores,
    }
    if trial.search_profile is not None:
        attributes |= {"latency_ms": trial.search_profile.latency_ms, "size_bytes": trial.search_profile.size_bytes}
    return {name: value for name, value in attributes.items() if value not in (None, "")}
