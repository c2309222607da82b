"""A plain Optuna study over this project's space: two objectives, the default sampler, and workers that share a file."""

from __future__ import annotations

from collections.abc import Callable

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from lepton_automl.space import Config, Hyperparameter, Space
from lepton_automl.space import Setting as SpaceSetting

from .setting import Setting

Objective = Callable[[optuna.Trial, Config], tuple[float, float]]


def optimize(setting: Setting, space: Space, objective: Objective) -> None:
    """Try configurations until the time is up; then the process is killed, even in the middle of a training.

    Args:
        setting: The run.
        space: The search space.
        objective: Returns accuracy and latency in ms. If it raises, the trial fails and the study continues.
    """

    def run_objective(trial: optuna.Trial) -> tuple[float, float]:
        try:
            return objective(trial, {name: suggested(trial, name, hyperparameter) for name, hyperparameter in space.items()})
        except Exception as error:
            setting.note(what="failed", reason=f"{type(error).__name__}: {error}")
            raise

    setting.note(what="ready")
    study = optuna.create_study(
        study_name="rival",
        directions=["maximize", "minimize"],
        storage=JournalStorage(JournalFileBackend(str(setting.path / "optuna.log"))),
        load_if_exists=True,
    )
    study.optimize(run_objective, catch=(Exception,))


def suggested(trial: optuna.Trial, name: str, hyperparameter: Hyperparameter) -> SpaceSetting:
    """The sampler's suggestion for one hyperparameter."""
    if hyperparameter.choices:
        chosen: SpaceSetting = trial.suggest_categorical(name, hyperparameter.choices)
        return chosen
    assert hyperparameter.low is not None and hyperparameter.high is not None
    if hyperparameter.integer:
        return trial.suggest_int(name, int(hyperparameter.low), int(hyperparameter.high), log=hyperparameter.log)
    return trial.suggest_float(name, hyperparameter.low, hyperparameter.high, log=hyperparameter.log)
