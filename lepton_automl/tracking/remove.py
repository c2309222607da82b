"""Deleting a study from MLflow."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from .logged import VERSIONS, logged_models
from .store import EXPERIMENT, Store, opened_store, tracking_uri


def delete_study(name: str, *, home: str | Path, uri: str | None = None) -> None:
    """Remove a study's runs and their artifacts from MLflow.

    Models that were registered from it stay, and so does its experiment then. MLflow keeps deleted runs' rows until
    `mlflow gc`.

    Args:
        name: The study's name.
        home: The folder of all studies.
        uri: Another MLflow store than the home's own.

    Raises:
        StudyError: MLflow cannot be written.
    """
    home = Path(home)
    if uri is None and not (home / "mlflow.db").exists():
        return
    with opened_store(home, uri) as store:
        found = store.client.get_experiment_by_name(EXPERIMENT + name)
        if found is None or found.lifecycle_stage == "deleted":
            return
        artifacts = Path(store.home / "artifacts" / name) if store.uri == tracking_uri(home) else None
        kept = _delete_models(store, found.experiment_id, artifacts)
        _delete_runs(store, found.experiment_id, artifacts)
        if not kept:
            # A deleted experiment would keep its name from the next study.
            store.client.rename_experiment(found.experiment_id, f"{EXPERIMENT}{name} (deleted, {found.experiment_id})")
            store.client.delete_experiment(found.experiment_id)
            if artifacts:
                shutil.rmtree(artifacts, ignore_errors=True)


def _delete_models(store: Store, experiment: str, artifacts: Path | None) -> bool:
    """Remove the models that are no version of a registered one; returns whether any are left."""
    models = logged_models(store, experiment)
    kept = {model.model_id for model in models if json.loads(model.tags.get(VERSIONS, "[]"))}
    for model in models:
        if model.model_id not in kept:
            store.client.delete_logged_model(model.model_id)
            if artifacts:
                shutil.rmtree(artifacts / "models" / model.model_id, ignore_errors=True)
    return bool(kept)


def _delete_runs(store: Store, experiment: str, artifacts: Path | None) -> None:
    while runs := store.client.search_runs([experiment], max_results=1000):
        for run in runs:
            store.client.delete_run(run.info.run_id)
            if artifacts:
                shutil.rmtree(artifacts / run.info.run_id, ignore_errors=True)
