"""Where in MLflow a study is to be shown: as it is said, else as the caller's own MLflow stands. MLflow is not loaded for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from lepton_automl.errors import ConfigError
from lepton_automl.specs import Tracking

from .secrets import host_of, secret_in

OWN = "mlflow.db"  # a home's own store
SQLITE = "sqlite:///"
EXPERIMENT = "lepton/"  # before a study's name, the name of its own experiment
LONGEST_NAME = 500  # characters of an experiment's name, by mlflow.utils.validation
WHERE_KEPT = "the URL is stored in the study's journal, which others may read."


def tracking_uri(home: str | Path, uri: str = "") -> str:
    """The address of a store: by default of a home's own, a SQLite file.

    Args:
        home: The folder of all studies.
        uri: Another store.
    """
    return uri or f"{SQLITE}{Path(home).absolute() / OWN}"


def requested_tracking(home: str | Path, uri: str | None = None, experiment: str | None = None) -> Tracking:
    """The place that was asked for.

    What is not said is taken from an active run of this thread, which the study then nests under; else from what MLflow
    stands at here, by `mlflow.set_tracking_uri`, `mlflow.set_experiment` or the variables MLFLOW_TRACKING_URI,
    MLFLOW_EXPERIMENT_NAME and MLFLOW_EXPERIMENT_ID; else it is the home's own store.
    See https://mlflow.org/docs/latest/ml/tracking/tracking-api/.

    Args:
        home: The folder of all studies.
        uri: The store's address.
        experiment: An experiment's name.

    Raises:
        ConfigError: The address bears a password.
    """
    run = _active_run()
    if run is not None and uri is None and experiment is None:
        here = address(sys.modules["mlflow"].get_tracking_uri(), home)
        return Tracking(uri=here, experiment_id=run.info.experiment_id, parent=run.info.run_id)
    name = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME", "")
    number = "" if name or uri else os.environ.get("MLFLOW_EXPERIMENT_ID", "")  # an id means nothing in another store
    check_name(name)
    return Tracking(uri=address(uri or _standing(), home), experiment=name, experiment_id=number)


def check_name(experiment: str) -> None:
    """See whether MLflow takes a name for an experiment; empty for none.

    Raises:
        ConfigError: It does not.
    """
    if len(experiment) > LONGEST_NAME:
        what = f"the experiment's name has {len(experiment)} characters ({experiment[:20]!r}…); MLflow takes {LONGEST_NAME}"
        raise ConfigError(what, where="experiment", fix="Choose a shorter one.")
    if experiment and not (experiment.isprintable() and experiment.strip()):
        what = f"{experiment[:60]!r} is not a valid experiment name: it is invisible, or contains a line break"
        raise ConfigError(what, where="experiment", fix="Use visible characters.")


def address(uri: str, home: str | Path) -> str:
    """An address as it may stand in a journal: the same from every folder, and without a secret; empty for a home's own.

    Raises:
        ConfigError: It bears a password or another secret.
    """
    secret = secret_in(uri)
    if secret:
        server = uri.lower().startswith("http")
        advice = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        fix = f"Remove it and {advice if server else 'set PGPASSWORD, or use ~/.pgpass'}: {WHERE_KEPT}"
        what = "a password" if secret == "password" else f"a credential ({secret})"  # noqa: S105  # a name, no secret
        raise ConfigError(f"the URL of {host_of(uri)} contains {what}", where="tracking_uri", fix=fix)
    if uri.startswith(SQLITE):
        uri = f"{SQLITE}{Path(uri.removeprefix(SQLITE)).absolute()}"
    return "" if uri == tracking_uri(home) else uri.rstrip("/")


def _standing() -> str:
    """The store that MLflow would use in this process; empty where nobody has said anything to it."""
    mlflow: Any = sys.modules.get("mlflow")
    chosen = getattr(sys.modules.get("mlflow.tracking.fluent"), "_active_experiment_id", None)
    if mlflow is not None and (chosen or _active_run() or mlflow.is_tracking_uri_set()):
        return str(mlflow.get_tracking_uri())
    return os.environ.get("MLFLOW_TRACKING_URI", "")


def _active_run() -> Any:
    """The run that MLflow would log to here, if any."""
    return getattr(sys.modules.get("mlflow"), "active_run", lambda: None)()
