"""A real study whose tracking server is away until it has ended."""

import time

import pytest

from benchmarks.servers import MlflowServer, free_port, lacks_postgres, postgres
from lepton_automl.api import AutoML
from lepton_automl.data.demo import digits
from lepton_automl.errors import StudyError
from lepton_automl.specs import Budget
from lepton_automl.study.remove import remove
from lepton_automl.tracking.store import opened_store

from .global_state import surroundings
from .recorded_studies import runs_of


@pytest.fixture(scope="module")
def port():
    """Where the server will be."""
    return free_port()


@pytest.fixture(scope="module")
def orphan(tmp_path_factory, port):
    """A study that was begun with a server that was not there."""
    images, labels = digits()
    place = {"tracking_uri": f"http://127.0.0.1:{port}", "experiment": "team"}
    asked = AutoML(name="orphan", home=tmp_path_factory.mktemp("orphan"), budget=Budget(trials=2), progress=False, **place)
    return asked.fit(images[:600], labels[:600], folds=0)


def test_a_study_ends_in_time_without_its_server(orphan):
    ended = orphan.state.ended.at
    assert len(orphan.front) >= 1 and time.time() - ended < 60
    warned = [event for event in orphan.state.notes if "lepton sync orphan writes it later" in event.text]
    assert len(warned) == 1 and warned[0].level == "warning" and warned[0].at - ended < 20
    assert orphan.tracking.uri == orphan.state.started.config.tracking.uri


@pytest.mark.slow
@pytest.mark.skipif(bool(lacks_postgres()), reason=lacks_postgres() or "nothing is missing")
@pytest.mark.usefixtures("untouched")
def test_it_arrives_at_a_server_with_postgresql_files_and_passwords(orphan, port, tmp_path, monkeypatch):
    rules = f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{tmp_path}/auth.db\nadmin_username = lepton\n"
    (tmp_path / "auth.ini").write_text(f"{rules}admin_password = correct-horse-battery\n")
    secrets = {"MLFLOW_AUTH_CONFIG_PATH": str(tmp_path / "auth.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "k" * 32}
    with postgres() as backend:
        server = MlflowServer(tmp_path, port=port, backend=backend, options=("--app-name", "basic-auth"), environment=secrets)
        with server:
            with pytest.raises(StudyError, match=r"401[\s\S]*MLFLOW_TRACKING_USERNAME"):
                orphan.tracking.sync()
            monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "lepton")
            monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "correct-horse-battery")
            before = surroundings()
            assert orphan.tracking.sync() == 2
            version = orphan.register("flowers")
            with opened_store(orphan.home.folder, server.uri) as store:
                runs = runs_of(store, "team")
                assert set(runs) == {None, "0", "1"} and runs[None].info.artifact_uri.startswith("mlflow-artifacts:")
                pages = {file.path for file in store.client.list_artifacts(runs[None].info.run_id)}
                assert {"front.html", "front.json", "study.json"} <= pages
                assert store.client.get_model_version_by_alias("flowers", "champion").version == version
                chosen = runs[str(orphan.state.ended.chosen)]
                assert chosen.data.tags["lepton.registered"] == f"flowers {version}"
            assert before == surroundings()
            assert list((tmp_path / "files").rglob("front.html"))
            assert "correct-horse" not in "".join(p.read_text() for p in orphan.folder.glob("*.json*"))
            remove("orphan", orphan.home)
            with opened_store(orphan.home.folder, server.uri) as store:
                assert set(runs_of(store, "team")) <= {"flowers"}
