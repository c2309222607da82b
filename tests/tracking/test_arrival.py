"""How things arrive in MLflow: all of it, once, whatever is cut off, locked, killed or away meanwhile."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks.servers import MlflowServer, free_port, lacks_postgres, postgres
from lepton_automl import cli
from lepton_automl.api import AutoML
from lepton_automl.data.demo import digits
from lepton_automl.errors import ConfigError, StudyError
from lepton_automl.events import (
    Asked,
    HostWeighed,
    ModelRegistered,
    StudyEnded,
    StudyPaused,
    StudyResumed,
    StudyStarted,
    TestOpened,
    TrialEnded,
    TrialRetried,
    TrialThawed,
)
from lepton_automl.jobs import TrialResult
from lepton_automl.journal import Journal
from lepton_automl.specs import Budget
from lepton_automl.specs import Tracking as Place
from lepton_automl.study import publish
from lepton_automl.study.publisher import Publisher
from lepton_automl.study.remove import remove
from lepton_automl.study.study import Study
from lepton_automl.study_store import StudyStore
from lepton_automl.tracking import tracker as tracking
from lepton_automl.tracking.secrets import masked
from lepton_automl.tracking.store import opened_store
from lepton_automl.tracking.tracker import Tracker
from lepton_automl.tracking.tracking_uri import address, asked_place
from lepton_automl.widgets.protocols import Moment
from lepton_automl.widgets.run import run_html
from tests import samples
from tests.shelf import Shelf

# Any split, any cut


@st.composite
def lives(draw):
    """A study's events: trials that run side by side, are stopped, thawed, lost, and end; it pauses and ends."""
    said = [
        StudyStarted(at=1.0, config=samples.config(), versions={"torch": "2"}),
        HostWeighed(at=2.0, weighed=samples.weighed(), epochs=8),
    ]
    ended, at = [], 3.0
    for number in range(draw(st.integers(1, 5))):
        proposed, weigh, learnt, end = samples.trial_events(number, draw(st.sampled_from([0.5, 0.7, 0.9])), 1.0 + number, at=at)
        how = draw(st.sampled_from(["complete", "stopped", "thawed", "failed"]))
        said += [proposed, weigh, learnt]
        if draw(st.booleans()):
            said.append(TrialRetried(at=at + 2, trial=number, reason="the worker died"))
        stopped = TrialResult(trial=number, status="stopped", reason="behind", epochs=1)
        if how in {"stopped", "thawed"}:
            said.append(TrialEnded(at=at + 2.5, result=stopped))
        if how == "thawed":
            said += [TrialThawed(at=at + 2.6, trial=number, epoch=1)]
            ended.append(number)
        if how in {"complete", "thawed"}:
            said.append(end)
        if how == "failed":
            said.append(TrialEnded(at=at + 3, result=stopped.replace(status="failed", traceback="Traceback: no", reason="no")))
        if draw(st.booleans()):
            said += [StudyPaused(at=at + 4, reason="asked"), StudyResumed(at=at + 5, reason="asked")]
        if draw(st.booleans()):
            said.append(Asked(at=at + 6, uid=f"a{number}", what="extend", budget=Budget(trials=9 + number)))
        if draw(st.booleans()):
            said += [StudyEnded(at=at + 7, reason="spent", chosen=None), StudyResumed(at=at + 8, reason="extended")]
        at += 10
    best = [e.result.trial for e in said if isinstance(e, TrialEnded) and e.result.status == "complete"][:1]
    said.append(StudyEnded(at=at, reason="the budget is spent", chosen=best[0] if best else None))
    for number in best:
        said += [TestOpened(at=at + 1, scores={number: {"accuracy": 0.6}}), ModelRegistered(at=at + 2, trial=number, model="m", version="1", alias="champion")]  # fmt: skip
    return said, {f"uid-{number}" for number in ended}


def told(folder, shelf, events, looks, monkeypatch, *, once=False):
    """Write a journal, and let a tracker look after each of some events; it may die at any look, and another comes."""
    monkeypatch.setattr(tracking, "opened_store", shelf.opened)
    journal = Journal(folder / f"{id(shelf)}.jsonl")
    tracker = Tracker(journal, folder, uri="http://shelf")
    for number, event in enumerate(events):
        journal.append(event, durable=False)
        if number in looks and not once:
            with contextlib.suppress(StudyError):
                tracker.catch_up()
            if looks[number]:
                tracker = Tracker(journal, folder, uri="http://shelf")
    shelf.cut = lambda call, done: None
    tracker.catch_up()
    return tracker


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_split_of_the_journal_with_any_cut_leads_to_the_same(data, tmp_path_factory, monkeypatch):
    events, thawed = data.draw(lives())
    looks = data.draw(st.dictionaries(st.integers(0, len(events) - 1), st.booleans()), label="looks")
    cuts = data.draw(st.sets(st.tuples(st.integers(1, 60), st.booleans()), max_size=6), label="cuts")
    folder, whole, shaken = tmp_path_factory.mktemp("split"), Shelf(), Shelf()

    def cut(call, done):
        if (call, done) in cuts:
            raise ConnectionError("cut off")

    shaken.cut = cut
    told(folder, whole, events, {}, monkeypatch, once=True)
    told(folder, shaken, events, looks, monkeypatch)
    assert shaken.holds(thawed) == whole.holds(thawed)
    assert Tracker(Journal(folder / f"{id(shaken)}.jsonl"), folder, uri="http://shelf").catch_up() == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_two_machines_at_once_leave_no_twins(data, tmp_path_factory, monkeypatch):
    """The other one comes in the middle of any call, before or after it took effect, and writes all there is."""
    events, thawed = data.draw(lives())
    moments = data.draw(st.sets(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=3))
    folder, whole, shared = tmp_path_factory.mktemp("machines"), Shelf(), Shelf()
    told(folder, whole, events, {}, monkeypatch, once=True)
    journal = Journal(folder / f"{id(shared)}.jsonl")

    def other(call, done):
        if (call, done) in moments:
            moments.discard((call, done))
            with contextlib.suppress(StudyError):
                Tracker(journal, folder, uri="http://shelf").catch_up()

    shared.cut = other
    for event in events:
        journal.append(event, durable=False)
    monkeypatch.setattr(tracking, "opened_store", shared.opened)
    mine = Tracker(journal, folder, uri="http://shelf")
    for _ in range(5):  # a look that fails, as where its run was the twin that went, is followed by another
        with contextlib.suppress(StudyError):
            mine.catch_up()
    assert shared.holds(thawed) == whole.holds(thawed)


def test_what_was_deleted_comes_back_by_a_check(tmp_path, monkeypatch):
    shelf = Shelf()
    events = [
        StudyStarted(at=1.0, config=samples.config()),
        *(e for n in range(3) for e in samples.trial_events(n, 0.8, 1.0 + n, at=2.0 + n)),
    ]
    tracker = told(tmp_path, shelf, events, {}, monkeypatch)
    before = shelf.holds()
    for run in [run for run in shelf.runs.values() if run.data.tags.get("lepton.trial") == "1"]:
        shelf.delete_run(run.info.run_id)
    assert tracker.catch_up() == 0 and tracker.check() == 3
    assert shelf.holds() == before


OWN = Place()

# Real stores


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a store, whose tables take four seconds to make."""
    folder = tmp_path_factory.mktemp("home") / "mlruns"
    with opened_store(folder):
        return StudyStore(folder)


def study(home, name, trials=3, *, place=OWN, ended=True):
    """A study of made-up trials, in its folder."""
    journal = Journal(home.create(name) / "journal.jsonl")
    journal.append(StudyStarted(at=1000.0, config=samples.config(name=name, tracking=place)), durable=False)
    for number in range(trials):
        first, *rest = samples.trial_events(number, 0.5 + number / 100, 1.0 + number, at=1001.0 + number)
        for event in (first.replace(uid=f"{name}-{number}"), *rest):
            journal.append(event, durable=False)
    if ended:
        journal.append(StudyEnded(at=2000.0, reason="done", chosen=0), durable=False)
    return Study(name, home)


def runs_of(store, experiment):
    """The runs of an experiment, by the trial's number; the study's own by None."""
    found = store.runs(store.client.get_experiment_by_name(experiment).experiment_id, None)
    by_number = {run.data.tags.get("lepton.trial"): run for run in found}
    assert len(by_number) == len(found), "a run is there twice"
    return by_number


def test_a_projector_that_is_killed_writes_everything_once(home):
    """A real process, killed whenever it has made some more runs: at no other moment does it write anything."""
    done = study(home, "killed", 40)
    code = f"""
        from lepton_automl.study.study import Study
        from lepton_automl.tracking import tracker
        tracker.BATCH = 15
        Study("killed", {str(home.folder)!r}).tracking.sync()
    """
    made = "select count(*) from runs where name like 'killed-%'"
    for number in (3, 12, 20, 33):
        process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.DEVNULL)
        with contextlib.closing(sqlite3.connect(home.folder / "mlflow.db")) as seen:
            while seen.execute(made).fetchone()[0] < number and process.poll() is None:
                time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was too fast"
    assert done.tracking.sync() == 40
    with opened_store(home.folder) as store:
        runs = runs_of(store, "lepton/killed")
        assert set(runs) == {None, *map(str, range(40))} and runs[None].data.tags["lepton.status"] == "ended"
        for run in runs.values():
            assert run.info.status == "FINISHED" and run.data.tags["lepton.status"] in {"complete", "ended"}
        history = store.client.get_metric_history(runs["7"].info.run_id, "accuracy")
        assert [(one.step, one.value) for one in history] == [(1, pytest.approx(0.285)), (8, pytest.approx(0.57))]


def test_a_locked_store_is_told_within_seconds_and_catches_up(home):
    late = study(home, "locked")
    with contextlib.closing(sqlite3.connect(home.folder / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(StudyError, match=r"database is locked[\s\S]*lepton sync"):
            late.tracking.mirror()
        assert time.monotonic() - began < 10
    assert late.tracking.sync() == 3


@pytest.mark.parametrize("answer", ["none", "silence", "503"])
def test_a_dead_server_is_told_within_seconds(home, tmp_path, answer, monkeypatch):
    monkeypatch.setattr("lepton_automl.tracking.store_lock.ANSWER", 1)
    there = study(home, f"dead-{answer}")
    with lame_server(answer) as uri:
        began = time.monotonic()
        with pytest.raises(StudyError, match="cannot be written"):
            there.tracking.sync(uri)
        assert time.monotonic() - began < 10


@contextlib.contextmanager
def lame_server(answer):
    """Nobody; or somebody who takes calls and says nothing; or a proxy whose server is away."""
    import socket

    if answer == "none":
        yield f"http://127.0.0.1:{free_port()}"
        return
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []

        def listen():
            with contextlib.suppress(OSError):
                while True:
                    caller = server.accept()[0]
                    kept.append(caller)
                    if answer == "503":
                        caller.recv(4096)
                        caller.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                        caller.close()

        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def test_a_deleted_experiment_stays_deleted_and_the_study_says_so(home, monkeypatch):
    """As a person deletes it in MLflow's pages while the study runs; once it is restored, all is written."""
    monkeypatch.setattr(publish, "EVERY", 0.05)
    gone = study(home, "gone")
    gone.tracking.mirror()
    with opened_store(home.folder) as store:
        (experiment,) = {run.info.experiment_id for run in runs_of(store, "lepton/gone").values()}
        store.client.delete_experiment(experiment)
    home.journal("gone").append(StudyResumed(at=3000.0, reason="it was extended"))
    publishing = publish.Publishing(gone.folder)
    with ThreadPoolExecutor() as pool:
        pool.submit(publishing.follow)
        until = time.monotonic() + 60
        while not gone.state.mlflow_trouble and time.monotonic() < until:
            time.sleep(0.05)
        publishing.over.set()
    shell = {"LEPTON_HOME": str(home.folder)}
    said = "".join(CliRunner().invoke(cli.app, words, env=shell).output for words in (["status", "gone"], ["list"]))
    assert "MLflow is behind: MLflow refuses this study" in said and "is deleted" in said and "; MLflow is behind" in said
    assert "MLflow is behind" in run_html(Moment(state=gone.state, status="running", now=1.0, news=(), chosen=None))
    with pytest.raises(StudyError, match=r"is deleted[\s\S]*experiments restore --experiment-id"):
        gone.tracking.sync()
    with opened_store(home.folder) as store:
        assert store.client.get_experiment(experiment).lifecycle_stage == "deleted"
        store.client.restore_experiment(experiment)
    assert gone.tracking.sync() == 3 and not gone.state.mlflow_trouble


def test_a_search_does_not_begin_where_mlflow_would_refuse_it(home, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "999")
    with pytest.raises(ConfigError, match="there is no MLflow experiment with the id 999"):
        AutoML(name="unborn", home=home.folder).fit(*digits())
    assert not home.path("unborn").exists()


def test_another_store_that_is_added_later_gets_everything(home, tmp_path):
    study(home, "later").tracking.mirror()
    uri = f"sqlite:///{tmp_path / 'team.db'}"
    said = CliRunner().invoke(cli.app, ["sync", "later", "--tracking-uri", uri], env={"LEPTON_HOME": str(home.folder)})
    assert said.exit_code == 0 and "3 ended trials, each once" in said.output and "Nothing was registered" in said.output
    with opened_store(home.folder, uri) as store:
        runs = runs_of(store, "lepton/later")
        assert set(runs) == {None, "0", "1", "2"}
        pages = {file.path for file in store.client.list_artifacts(runs[None].info.run_id)}
        assert {"front.html", "front.json", "study.json"} <= pages
        assert not store.client.search_registered_models()


def test_a_study_is_followed_into_a_store_while_it_runs(home, tmp_path, monkeypatch):
    monkeypatch.setattr("lepton_automl.study.tracking.EVERY", 0.1)
    uri, running = f"sqlite:///{tmp_path / 'team.db'}", study(home, "followed", 1, ended=False)
    with home.lock("followed"), opened_store(home.folder, uri) as store:
        client = store.client
    alive = threading.Event()

    def go_on():
        with home.lock("followed"):
            alive.set()
            until = time.monotonic() + 60
            while time.monotonic() < until and not client.search_runs(["1"], "tags.lepton.trial = '0'"):
                time.sleep(0.1)
            for event in samples.trial_events(1, 0.9, 1.0, at=1100.0):
                home.journal("followed").append(event)
            home.journal("followed").append(StudyEnded(at=1200.0, reason="done", chosen=1))

    other = threading.Thread(target=go_on)
    other.start()
    alive.wait()
    assert running.tracking.sync(uri, follow=True) == 2
    other.join()


# Where it is shown


@pytest.fixture
def untouched(monkeypatch):
    """MLflow as it stands in a new process; what a test does to it is undone."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.setenv(name, "")  # so that it is undone whatever MLflow makes of it
        monkeypatch.delenv(name)
    monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)


def surroundings():
    """What is global in this process; but for what a thread of MLflow's own takes back some time after its import."""
    kept = {name: value for name, value in os.environ.items() if name != "_MLFLOW_TELEMETRY_SESSION_ID"}
    return kept, mlflow.get_tracking_uri(), mlflow.active_run(), mlflow.tracking.fluent._active_experiment_id


@pytest.mark.usefixtures("untouched")
def test_what_is_asked_for_is_taken_from_the_caller(home, monkeypatch):
    assert asked_place(home.folder) == Place()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home.folder / 'mlflow.db'}")
    assert asked_place(home.folder) == Place(), "the home's own store is no other"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://team:5000/")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "birds")
    assert asked_place(home.folder) == Place(uri="http://team:5000", experiment="birds")
    assert asked_place(home.folder, "sqlite:///x.db", "mine") == Place(
        uri=f"sqlite:///{Path('x.db').absolute()}", experiment="mine"
    )
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "7")
    assert asked_place(home.folder) == Place(uri="http://team:5000", experiment_id="7")
    assert asked_place(home.folder, "http://other:1") == Place(uri="http://other:1"), "an id means nothing in another store"


@pytest.mark.usefixtures("untouched")
def test_a_study_nests_under_the_run_that_is_active_and_nothing_is_changed(home, tmp_path):
    uri = f"sqlite:///{tmp_path / 'mine.db'}"
    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment("birds", artifact_location=(tmp_path / "birds").as_uri())
    mlflow.set_experiment("birds")
    with mlflow.start_run() as outer:
        before = surroundings()
        experiment = outer.info.experiment_id
        place = asked_place(home.folder)
        assert place == Place(uri=uri, experiment_id=experiment, parent=outer.info.run_id)
        assert asked_place(home.folder, "http://other:1").parent == ""
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
    with pytest.raises(ConfigError, match=r"bears a (password|credential)"):
        asked_place(home.folder)
    assert "secret" not in masked(f"sent to {uri} in vain") and "token@" not in masked(uri)


@pytest.mark.parametrize("uri", [
    "http://team:5000/mlflow", "http://team/@birds?tokenizer=", "postgresql://me@team/mlflow?sslkey=/k.pem&sslmode=require",
    "sqlite:////a@b:c/token=1/x.db", "mysql+pymysql://team/mlflow?charset=utf8mb4", "databricks://profile",
])  # fmt: skip
def test_an_address_without_a_secret_is_kept(home, uri):
    assert address(uri, home.folder) == uri


def test_deleting_a_study_leaves_its_namesake_in_a_shared_experiment(home, tmp_path):
    place = Place(uri=f"sqlite:///{tmp_path / 'team.db'}", experiment="team")
    mine, other = study(home, "flowers", place=place), study(StudyStore(tmp_path / "other"), "flowers", place=place)
    journal = other.home.journal("flowers")
    text = journal.path.read_text()
    journal.path.unlink()
    for line in text.splitlines():  # begun at another moment, with trials of its own
        data = json.loads(line[9:])
        if data["event"] == "StudyStarted":
            data["at"] = 999.0
        if "uid" in data:
            data["uid"] = "other-" + data["uid"]
        from lepton_automl.events import event_from_json

        journal.append(event_from_json(data), durable=False)
    mine.tracking.mirror()
    other.tracking.mirror()
    remove("flowers", home)
    with opened_store(tmp_path, place.uri) as store:
        left = store.runs(store.experiment(None, place), None)
        assert len(left) == 4 and {run.data.tags.get("lepton.trial_uid", "other-")[:6] for run in left} == {"other-"}


# A real study, whose server is away until it has ended


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
    warned = [event for event in orphan.state.notes if "lepton sync orphan brings it up later" in event.text]
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


@pytest.mark.slow
def test_a_publishing_process_that_is_lost_or_stands_still_leaves_nothing_out(home, monkeypatch):
    monkeypatch.setattr("lepton_automl.study.publisher.PAUSE", 0.1)
    monkeypatch.setattr("lepton_automl.study.publisher.SILENCE", 5.0)
    for name, harm in (("killed", signal.SIGKILL), ("stopped", signal.SIGSTOP)):
        begun = study(home, name)
        with Publisher(begun.folder) as publisher:
            first = publishers(begun.folder, 1)
            os.kill(first[0], harm)
            if name == "killed":
                publishers(begun.folder, 1, other=first)  # another was started
            publisher.finish()
        with opened_store(home.folder) as store:
            assert set(runs_of(store, f"lepton/{name}")) == {None, "0", "1", "2"}
        publishers(begun.folder, 0)


@pytest.mark.slow
def test_a_publishing_process_ends_with_its_search(home):
    begun = study(home, "orphan")
    script = """if True:
        import os, sys, time
        from pathlib import Path
        from lepton_automl.study.publisher import Publisher
        with Publisher(Path(sys.argv[1])):
            time.sleep(600)
    """
    with subprocess.Popen([sys.executable, "-c", script, str(begun.folder)]) as search:
        publishers(begun.folder, 1)
        search.kill()
    publishers(begun.folder, 0)


def publishers(folder, wanted, other=()):
    """Numbers of the processes that publish a study, once there are so many, and others than some."""
    until, found = time.monotonic() + 60, []
    while time.monotonic() < until:
        said = subprocess.run(["pgrep", "-f", f"study.publish {folder}$"], capture_output=True, text=True, check=False).stdout
        found = [int(line) for line in said.split()]
        if len(found) == wanted and not set(found) & set(other):
            break
        time.sleep(0.1)
    assert len(found) == wanted and not set(found) & set(other)
    return found
