"""How studies arrive in real stores: all of it, once, whatever is locked, deleted or killed meanwhile."""

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

import pytest
from typer.testing import CliRunner

from benchmarks.servers import free_port
from lepton_automl import cli
from lepton_automl.api import AutoML
from lepton_automl.data.demo import digits
from lepton_automl.errors import ConfigError, StudyError
from lepton_automl.events import (
    StudyEnded,
    StudyResumed,
)
from lepton_automl.specs import Tracking as Place
from lepton_automl.study import publish
from lepton_automl.study.publisher import Publisher
from lepton_automl.study.remove import remove
from lepton_automl.study_store import StudyStore
from lepton_automl.tracking.store import opened_store
from lepton_automl.widgets.protocols import StudySnapshot
from lepton_automl.widgets.run import run_html
from tests import samples

from .recorded_studies import runs_of, study


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


def test_a_locked_store_is_reported_within_seconds_and_catches_up(home):
    late = study(home, "locked")
    with contextlib.closing(sqlite3.connect(home.folder / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(StudyError, match=r"database is locked[\s\S]*lepton sync"):
            late.tracking.mirror()
        assert time.monotonic() - began < 10
    assert late.tracking.sync() == 3


@pytest.mark.parametrize("answer", ["none", "silence", "503"])
def test_a_dead_server_is_reported_within_seconds(home, tmp_path, answer, monkeypatch):
    monkeypatch.setattr("lepton_automl.tracking.store_lock.ANSWER", 1)
    there = study(home, f"dead-{answer}")
    with lame_server(answer) as uri:
        began = time.monotonic()
        with pytest.raises(StudyError, match="cannot be written"):
            there.tracking.sync(uri)
        assert time.monotonic() - began < 10


@contextlib.contextmanager
def lame_server(answer):
    """No server; one that accepts connections but never responds; or a proxy whose server is down."""
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


def test_a_deleted_experiment_stays_deleted_and_the_study_reports_it(home, monkeypatch):
    """Deleted in MLflow's pages while the study runs; once it is restored, everything is written."""
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
    text = "".join(CliRunner().invoke(cli.app, words, env=shell).output for words in (["status", "gone"], ["list"]))
    assert "MLflow is behind: MLflow refuses this study" in text and "was deleted" in text and "; MLflow is behind" in text
    assert "MLflow is behind" in run_html(StudySnapshot(state=gone.state, status="running", now=1.0, news=(), chosen=None))
    with pytest.raises(StudyError, match=r"was deleted[\s\S]*experiments restore --experiment-id"):
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
    assert said.exit_code == 0 and "3 ended trials" in said.output and "No model was registered" in said.output
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


@pytest.mark.slow
def test_a_lost_or_stopped_publishing_process_leaves_nothing_out(home, monkeypatch):
    monkeypatch.setattr("lepton_automl.study.publisher.PAUSE", 0.1)
    monkeypatch.setattr("lepton_automl.study.publisher.SILENCE", 5.0)
    for name, harm in (("lost", signal.SIGKILL), ("stopped", signal.SIGSTOP)):
        begun = study(home, name)
        with Publisher(begun.folder) as publisher:
            first = publishers(begun.folder, 1)
            os.kill(first[0], harm)
            if name == "lost":
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
        output = subprocess.run(["pgrep", "-f", f"study.publish {folder}$"], capture_output=True, text=True, check=False).stdout
        found = [int(line) for line in output.split()]
        if len(found) == wanted and not set(found) & set(other):
            break
        time.sleep(0.1)
    assert len(found) == wanted and not set(found) & set(other)
    return found
