"""Where a study is tracked: what is taken from the caller's surroundings, what stays as it was, and no password that is kept."""

from pathlib import Path

import mlflow
import pytest

from lepton_automl.api import AutoML
from lepton_automl.errors import ConfigError, StudyError
from lepton_automl.specs import Tracking as Place
from lepton_automl.study.remove import remove
from lepton_automl.study.study import Study
from lepton_automl.tracking.secrets import masked
from lepton_automl.tracking.store import opened_store
from lepton_automl.tracking.tracking_uri import address, requested_tracking

from .global_state import surroundings
from .recorded_studies import study


@pytest.mark.usefixtures("untouched")
def test_what_is_asked_for_is_taken_from_the_caller(home, monkeypatch):
    assert requested_tracking(home.folder) == Place()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home.folder / 'mlflow.db'}")
    assert requested_tracking(home.folder) == Place(), "the home's own store is no other"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://team:5000/")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "birds")
    assert requested_tracking(home.folder) == Place(uri="http://team:5000", experiment="birds")
    assert requested_tracking(home.folder, "sqlite:///x.db", "mine") == Place(
        uri=f"sqlite:///{Path('x.db').absolute()}", experiment="mine"
    )
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "7")
    assert requested_tracking(home.folder) == Place(uri="http://team:5000", experiment_id="7")
    assert requested_tracking(home.folder, "http://other:1") == Place(uri="http://other:1"), (
        "an id means nothing in another store"
    )


@pytest.mark.usefixtures("untouched")
def test_a_study_nests_under_the_run_that_is_active_and_nothing_is_changed(home, tmp_path):
    uri = f"sqlite:///{tmp_path / 'mine.db'}"
    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment("birds", artifact_location=(tmp_path / "birds").as_uri())
    mlflow.set_experiment("birds")
    with mlflow.start_run() as outer:
        before = surroundings()
        experiment = outer.info.experiment_id
        place = requested_tracking(home.folder)
        assert place == Place(uri=uri, experiment_id=experiment, parent=outer.info.run_id)
        assert requested_tracking(home.folder, "http://other:1").parent == ""
        study(home, "nested", place=place).tracking.mirror()
        with opened_store(home.folder, uri) as store:
            (own,) = store.runs(experiment, ("mlflow.parentRunId", outer.info.run_id))
            assert own.data.tags["lepton.study"] == "nested"
            assert len(store.runs(experiment, ("mlflow.parentRunId", own.info.run_id))) == 3
        remove("nested", home)
        with opened_store(home.folder, uri) as store:
            assert [run.info.run_id for run in store.runs(experiment, None)] == [outer.info.run_id]
        assert before == surroundings() and mlflow.active_run() is outer


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "uri", ["http://me:secret@team:5000", "postgresql://me:secret@team/mlflow", "postgresql://team/mlflow?password=secret", "https://token@team",
    "http://team/?Token=secret", "postgresql://team/mlflow?sslpassword=secret", "https://team/mlflow;API_KEY=secret", "http://team/#x-api-key=secret",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3D%7BODBC%7D%3BUID%3Dme%3BPwd%3Dsecret", "postgresql://me:se/secret@team/mlflow", "https://team/?access%5Ftoken=secret"]
)  # fmt: skip
def test_no_password_is_ever_kept(home, uri, monkeypatch):
    for call in (
        lambda: address(uri, home.folder),
        lambda: AutoML(tracking_uri=uri, home=home.folder),
        lambda: Study("x", home).tracking.sync(uri),
    ):
        with pytest.raises((ConfigError, StudyError)) as caught:
            call()
        assert "secret" not in str(caught.value) and "token@" not in str(caught.value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(ConfigError, match=r"contains a (password|credential)"):
        requested_tracking(home.folder)
    assert "secret" not in masked(f"sent to {uri} in vain") and "token@" not in masked(uri)


@pytest.mark.parametrize("uri", [
    "http://team:5000/mlflow", "http://team/@birds?tokenizer=", "postgresql://me@team/mlflow?sslkey=/k.pem&sslmode=require",
    "sqlite:////a@b:c/token=1/x.db", "mysql+pymysql://team/mlflow?charset=utf8mb4", "databricks://profile",
])  # fmt: skip
def test_an_address_without_a_secret_is_kept(home, uri):
    assert address(uri, home.folder) == uri
