"""Deleting a study from MLflow."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lepton_automl.specs import Tracking

from .logged import STUDY_NAME, VERSIONS, logged_models
from .projector import STUDY
from .store import ELSEWHERE, PARENT, Store, opened_store
from .tracking_uri import EXPERIMENT, OWN


def delete_study(name: str, *, home: str | Path, place: Tracking = ELSEWHERE, uid: str = "") -> None:
    """Remove a study's runs from MLflow; their artifacts too, where those lie on this machine.

    Models that were registered from it stay, and so does its experiment then, or where others write there. MLflow keeps
    deleted runs' rows until `mlflow gc`, and a server its artifacts.

    Args:
        name: The study's name.
        home: The folder of all studies.
        place: Where in MLflow it is shown.
        uid: What its run is found by (`study_uid`); where nothing else is shared with others, all goes that bears its name.

    Raises:
        StudyError: MLflow cannot be written.
    """
    home = Path(home)
    if not place.uri and not (home / OWN).exists():
        return
    with opened_store(home, place.uri) as store:
        experiment = place.experiment_id or _experiment(store, place.experiment or EXPERIMENT + name)
        if not experiment:
            return
        models_kept = _delete_models(store, experiment, name)
        _delete_runs(store, experiment, None if place == ELSEWHERE else (STUDY, uid))
        if place.experiment or place.experiment_id or models_kept or store.client.search_runs([experiment], max_results=1):
            return
        # A deleted experiment would keep its name from the next study.
        store.client.rename_experiment(experiment, f"{EXPERIMENT}{name} (deleted, {experiment})")
        store.client.delete_experiment(experiment)
        if not place.uri:
            shutil.rmtree(store.home / "artifacts" / name, ignore_errors=True)


def _experiment(store: Store, name: str) -> str:
    experiment = store.client.get_experiment_by_name(name)
    return "" if experiment is None or experiment.lifecycle_stage == "deleted" else str(experiment.experiment_id)


def _delete_models(store: Store, experiment: str, study: str) -> bool:
    """Remove a study's models that are no version of a registered one; returns whether any are left."""
    models = [model for model in logged_models(store, experiment) if model.tags.get(STUDY_NAME) == study]
    kept_models = {model.model_id for model in models if json.loads(model.tags.get(VERSIONS, "[]"))}
    for model in models:
        if model.model_id not in kept_models:
            store.client.delete_logged_model(model.model_id)
            _forget_files(model.artifact_location)
    return bool(kept_models)


def _forget_files(place: str) -> None:
    """Remove artifacts that lie on this machine, with their folder."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        shutil.rmtree(Path(unquote(parts.path)).parent, ignore_errors=True)


def _delete_runs(store: Store, experiment: str, key: tuple[str, str] | None) -> None:
    """Delete the runs that bear a tag, with their children; all of the experiment where none is named."""
    runs = store.runs(experiment, key)
    if key:
        runs += [child for run in runs for child in store.runs(experiment, (PARENT, run.info.run_id))]
    for run in reversed(runs):  # children first: a deletion that is cut off can still find the others
        store.client.delete_run(run.info.run_id)
        _forget_files(run.info.artifact_uri)
