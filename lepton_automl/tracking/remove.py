"""Deleting a study from MLflow."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lepton_automl.specs import Tracking

from .logged import STUDY_NAME, VERSIONS, logged_models
from .projector import STUDY
from .store import OWN_EXPERIMENT, PARENT, Store, opened_store
from .tracking_uri import EXPERIMENT, OWN


def delete_study(name: str, *, home: str | Path, place: Tracking = OWN_EXPERIMENT, uid: str = "") -> None:
    """Delete a study's runs from MLflow, and their artifacts if they are on this machine.

    Models that were registered from it are kept. Its experiment is kept too if there are such models, or if it holds other
    runs. MLflow keeps the rows of deleted runs until `mlflow gc`, and a server keeps its artifacts.

    Args:
        name: The study's name.
        home: The folder of all studies.
        place: Where in MLflow it is tracked.
        uid: The unique id of its run (`study_uid`); not needed for an experiment of its own, whose runs are all deleted.

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
        _delete_runs(store, experiment, None if place == OWN_EXPERIMENT else (STUDY, uid))
        if place.experiment or place.experiment_id or models_kept or store.client.search_runs([experiment], max_results=1):
            return
        # A deleted experiment still reserves its name, so it is renamed first.
        store.client.rename_experiment(experiment, f"{EXPERIMENT}{name} (deleted, {experiment})")
        store.client.delete_experiment(experiment)
        if not place.uri:
            shutil.rmtree(store.home / "artifacts" / name, ignore_errors=True)


def _experiment(store: Store, name: str) -> str:
    experiment = store.client.get_experiment_by_name(name)
    return "" if experiment is None or experiment.lifecycle_stage == "deleted" else str(experiment.experiment_id)


def _delete_models(store: Store, experiment: str, study: str) -> bool:
    """Delete a study's models without a registered version; return whether any are left."""
    models = [model for model in logged_models(store, experiment) if model.tags.get(STUDY_NAME) == study]
    kept_models = {model.model_id for model in models if json.loads(model.tags.get(VERSIONS, "[]"))}
    for model in models:
        if model.model_id not in kept_models:
            store.client.delete_logged_model(model.model_id)
            _delete_files(model.artifact_location)
    return bool(kept_models)


def _delete_files(place: str) -> None:
    """Delete artifacts on this machine, with their folder."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        shutil.rmtree(Path(unquote(parts.path)).parent, ignore_errors=True)


def _delete_runs(store: Store, experiment: str, key: tuple[str, str] | None) -> None:
    """Delete the runs with a tag, and their children; without a tag, all runs of the experiment."""
    runs = store.runs(experiment, key)
    if key:
        runs += [child for run in runs for child in store.runs(experiment, (PARENT, run.info.run_id))]
    for run in reversed(runs):  # children first, so that an interrupted deletion can be repeated
        store.client.delete_run(run.info.run_id)
        _delete_files(run.info.artifact_uri)
