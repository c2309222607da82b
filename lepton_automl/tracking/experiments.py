"""Check the experiment of a new study before it starts, as far as the store can be read."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from urllib.parse import quote

from lepton_automl.errors import ConfigError, StudyError
from lepton_automl.specs import Tracking

from .secrets import SERVERS, masked
from .tracking_uri import EXPERIMENT, SQLITE, tracking_uri

WAIT = 1.0  # seconds for a file that is being written
FIRST = "0"  # the id of the experiment that every store has


def check_experiment(home: str | Path, study: str, place: Tracking) -> None:
    """Check that a new study's experiment is usable.

    A SQLite file is read; a server is asked only if an experiment was requested. A store that does not answer is skipped: the
    study starts, and reports problems with MLflow later.

    Args:
        home: The folder of all studies.
        study: The new study's name.
        place: Where in MLflow it is to be tracked.

    Raises:
        ConfigError: The experiment does not exist, or is deleted.
    """
    uri = tracking_uri(home, place.uri)
    named = bool(place.experiment or place.experiment_id)
    if place.parent:
        return  # nested under an active run
    with contextlib.suppress(sqlite3.Error, StudyError):
        if uri.startswith(SQLITE):
            _raise_if_unusable(_in_file(Path(uri.removeprefix(SQLITE)), study, place), place, uri)
        elif named and uri.partition(":")[0] in SERVERS:
            _raise_if_unusable(_on_server(Path(home), uri, place), place, uri)


def study_pages(home: str | Path, uri: str = "") -> dict[str, str]:
    """The MLflow pages of studies in a SQLite store, by name: `{"flowers": "experiments/1/runs"}`; empty for other stores.

    Args:
        home: The folder of all studies.
        uri: A store other than the home's own.
    """
    path = Path(tracking_uri(home, uri).removeprefix(SQLITE))
    query = (
        "select name, experiment_id from experiments where lifecycle_stage = 'active' and name like ? order by last_update_time"
    )
    if uri.partition(":")[0] in SERVERS or not path.exists():
        return {}
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=WAIT)) as file:
            records = file.execute(query, (f"{EXPERIMENT}%",)).fetchall()
    except sqlite3.Error:  # the MLflow UI itself reports the error
        return {}
    return {str(name).removeprefix(EXPERIMENT): f"experiments/{number}/runs" for name, number in records}


def _raise_if_unusable(record: tuple[str, str, str] | None, place: Tracking, uri: str) -> None:
    """Raise an error if the experiment is missing or deleted.

    Args:
        record: The experiment's id, name and stage; None if there is none.
        place: The requested experiment.
        uri: The store's URL.
    """
    if record is None:
        if place.experiment_id and place.experiment_id != FIRST:
            what = f"there is no MLflow experiment with the id {place.experiment_id} in {masked(uri)}"
            fix = "Set MLFLOW_EXPERIMENT_ID to an existing one, or pass a name as `experiment=`; it is created if it does not exist."
            raise ConfigError(what, where="MLFLOW_EXPERIMENT_ID", fix=fix)
        return
    number, name, stage = record
    if stage == "deleted":
        from .store import deleted_experiment

        what, fix = deleted_experiment(name, number, uri)
        raise ConfigError(what, where="experiment", fix=fix)


def _in_file(path: Path, study: str, place: Tracking) -> tuple[str, str, str] | None:
    if not path.exists():
        return None
    column, key = (
        ("experiment_id", place.experiment_id) if place.experiment_id else ("name", place.experiment or EXPERIMENT + study)
    )
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=WAIT)) as file:
        query = f"select experiment_id, name, lifecycle_stage from experiments where cast({column} as text) = ?"  # noqa: S608  # ours
        row = file.execute(query, (key,)).fetchone()
    return None if row is None else (str(row[0]), str(row[1]), str(row[2]))


def _on_server(home: Path, uri: str, place: Tracking) -> tuple[str, str, str] | None:
    from .store import RefusedError, opened_store

    try:
        with opened_store(home, uri) as store:
            client = store.client
            experiment = (
                client.get_experiment(place.experiment_id)
                if place.experiment_id
                else client.get_experiment_by_name(place.experiment)
            )
    except RefusedError:
        return None
    return (
        None if experiment is None else (str(experiment.experiment_id), str(experiment.name), str(experiment.lifecycle_stage))
    )
