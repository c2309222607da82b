"""Alternative ways to write trials into MLflow: the fluent API as in a tutorial, and Optuna's storage."""

from __future__ import annotations

import functools
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import mlflow
import optuna
from mlflow.optuna.storage import MlflowStorage
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from lepton_automl.state import StudyState
from lepton_automl.trial import Trial


class Count:
    """Counts calls to MLflow's store; with a server, each is a request."""

    def __init__(self) -> None:
        self.calls = 0
        self._depth = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count within this context; nested calls count once."""
        methods = {name: method for name, method in vars(SqlAlchemyStore).items() if callable(method) and name[0] != "_"}
        for name, method in methods.items():
            setattr(SqlAlchemyStore, name, self._counted(method))
        try:
            yield
        finally:
            for name, method in methods.items():
                setattr(SqlAlchemyStore, name, method)

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls += self._depth == 0
            self._depth += 1
            try:
                return method(*args, **kwargs)
            finally:
                self._depth -= 1

        return counted


def rows(database: Path) -> int:
    """The number of rows in all tables."""
    if not database.exists():
        return 0
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return sum(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables)


def fluent(state: StudyState, trials: list[Trial], uri: str) -> list[float]:
    """Write trials with `mlflow.start_run` and one call per epoch, as in a tutorial; returns the seconds for each."""
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("fluent")
    seconds = []
    with mlflow.start_run(run_name=state.settings.name):
        for trial in trials:
            began = time.perf_counter()
            with mlflow.start_run(run_name=f"trial-{trial.number}", nested=True):
                mlflow.log_params(trial.proposed.config)
                for report in trial.reports:
                    if report.scores:
                        mlflow.log_metrics(report.scores, step=report.epoch)
                if trial.profile:
                    mlflow.log_metrics({"latency_ms": trial.profile.latency_ms, "size_bytes": trial.profile.size_bytes})
                mlflow.set_tag("status", trial.status)
            seconds.append(time.perf_counter() - began)
    return seconds


def storage(state: StudyState, trials: list[Trial], uri: str) -> list[float]:
    """Write trials to `mlflow.optuna.MlflowStorage`, one call for each parameter, report and end; returns the seconds for each."""
    mlflow.set_tracking_uri(uri)
    experiment = mlflow.set_experiment("storage").experiment_id
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna_storage = MlflowStorage(experiment_id=experiment, name="storage")
    study = optuna.create_study(study_name="storage", storage=optuna_storage, sampler=optuna.samplers.RandomSampler())
    metric, seconds = state.settings.metric, []
    for trial in trials:
        began = time.perf_counter()
        optuna_trial = study.ask(
            {
                name: CategoricalDistribution((setting,)) for name, setting in trial.proposed.config.items()
            }  # as in a real search
        )
        for report in trial.reports:
            if metric in report.scores:
                optuna_trial.report(report.scores[metric], report.epoch)
        if trial.status == "complete":
            study.tell(optuna_trial, state.score(trial))
        else:
            study.tell(optuna_trial, state=TrialState.PRUNED)
        seconds.append(time.perf_counter() - began)
    del study, optuna_storage
    return seconds
