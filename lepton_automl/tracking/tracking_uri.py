"""Where in MLflow a study is tracked: as requested, else as MLflow is configured in the caller. MLflow is not imported for it."""

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
EXPERIMENT = "lepton/"  # prefix of a study's name in the name of its experiment
LONGEST_NAME = 500  # characters of an experiment's name, from mlflow.utils.validation
WHERE_KEPT = "the URL is stored in the study's journal, which others may read."


def tracking_uri(home: str | Path, uri: str = "") -> str:
    """The URL of a store: by default the home's own, a SQLite file.

    Args:
        home: The folder of all studies.
        uri: Another store.
    """
    return uri or f"{SQLITE}{Path(home).absolute() / OWN}"


def requested_tracking(home: str | Path, uri: str | None = None, experiment: str | None = None) -> Tracking:
    """The requested store and experiment.

    Missing values are taken from an active run of this thread, under which the study is then nested; else from the
    configuration of MLflow, by `mlflow.set_tracking_uri`, `mlflow.set_experiment` or the variables MLFLOW_TRACKING_URI,
    MLFLOW_EXPERIMENT_NAME and MLFLOW_EXPERIMENT_ID; the default is the home's own store.
    See https://mlflow.org/docs/latest/ml/tracking/tracking-api/.

    Args:
        home: The folder of all studies.
        uri: The store's URL.
        experiment: An experiment's name.

    Raises:
        ConfigError: The URL contains a password or another secret, or the name is invalid.
    """
    run = _active_run()
    if run is not None and uri is None and experiment is None:
        here = address(sys.modules["mlflow"].get_tracking_uri(), home)
        return Tracking(uri=here, experiment_id=run.info.experiment_id, parent=run.info.run_id)
    name = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME", "")
    number = "" if name or uri else os.environ.get("MLFLOW_EXPERIMENT_ID", "")  # an id means nothing in another store
    check_name(name)
    return Tracking(uri=address(uri or _configured_uri(), home), experiment=name, experiment_id=number)


def check_name(experiment: str) -> None:
    """Check that MLflow accepts the name of an experiment; an empty name is accepted.

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
    """The URL of a store as a journal records it: absolute and without secrets; empty for the home's own store.

    Raises:
        ConfigError: It contains a password or another secret.
    """
    secret = secret_in(uri)
    if secret:
        server = uri.lower().startswith("http")
        advice = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        fix = f"Remove it and {advice if server else 'set PGPASSWORD, or use ~/.pgpass'}: {WHERE_KEPT}"
        what = "a password" if secret == "password" else f"a credential ({secret})"  # noqa: S105  # a name, not a secret
        raise ConfigError(f"the URL of {host_of(uri)} contains {what}", where="tracking_uri", fix=fix)
    if uri.startswith(SQLITE):
        uri = f"{SQLITE}{Path(uri.removeprefix(SQLITE)).absolute()}"
    return "" if uri == tracking_uri(home) else uri.rstrip("/")


def _configured_uri() -> str:
    """The store that MLflow is configured to use in this process; empty if it is not configured."""
    mlflow: Any = sys.modules.get("mlflow")
    chosen = getattr(sys.modules.get("mlflow.tracking.fluent"), "_active_experiment_id", None)
    if mlflow is not None and (chosen or _active_run() or mlflow.is_tracking_uri_set()):
        return str(mlflow.get_tracking_uri())
    return os.environ.get("MLFLOW_TRACKING_URI", "")


def _active_run() -> Any:
    """The run that MLflow would log to here, if any."""
    return getattr(sys.modules.get("mlflow"), "active_run", lambda: None)()
