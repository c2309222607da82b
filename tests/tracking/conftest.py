"""What the tests of tracking share."""

import shutil

import mlflow
import pytest

from lepton_automl.study_store import StudyStore
from lepton_automl.tracking.store import opened_store


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """The folder of an empty store: its tables take four seconds to make, so that each module takes a copy."""
    folder = tmp_path_factory.mktemp("empty") / "mlruns"
    with opened_store(folder):
        return folder


@pytest.fixture(scope="module")
def store_folder(empty_store, tmp_path_factory):
    """A folder with a store of this module's own."""
    return shutil.copytree(empty_store, tmp_path_factory.mktemp("home") / "mlruns")


@pytest.fixture(scope="module")
def home(store_folder):
    """A home with a store."""
    return StudyStore(store_folder)


@pytest.fixture
def client(store_folder):
    """MLflow's client on this module's store."""
    with opened_store(store_folder) as store:
        return store.client


@pytest.fixture
def untouched(monkeypatch):
    """MLflow as in a new process; changes by a test are undone."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.setenv(name, "")  # so that it is undone whatever MLflow makes of it
        monkeypatch.delenv(name)
    monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)
