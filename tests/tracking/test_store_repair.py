"""A store that was incomplete or lost is created again from the journals of its home."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from lepton_automl import Registry
from lepton_automl.events import StudyEnded, StudyStarted
from lepton_automl.journal import Journal
from lepton_automl.study.study import Study
from lepton_automl.study_store import StudyStore, trial_folder
from lepton_automl.tracking import making
from lepton_automl.tracking.making import REBUILD, ensure_complete
from lepton_automl.tracking.store import opened_store
from lepton_automl.tracking.tracking_uri import tracking_uri
from tests import samples

from .test_registry import eye


def cut(path, *, column=False):
    """What MLflow leaves when it is killed in its first migrations: its first tables, and no version."""
    with contextlib.closing(sqlite3.connect(path)) as file:
        for table in ("experiments", "runs", "tags", "metrics", "params"):
            file.execute(f"create table {table} (name text)")
        if column:
            file.execute("alter table metrics add column step bigint")
            file.execute("create table alembic_version (version_num text)")
        file.commit()


def other(path):
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("create table customers (name text)")


@pytest.fixture
def quickly(monkeypatch):
    """Nobody else is making the file, and what is made is a mark."""
    monkeypatch.setattr(making, "STILL", 0.0)
    monkeypatch.setattr(making, "_make", lambda path: path.write_text("made"))


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    "leave",
    [cut, lambda path: cut(path, column=True), lambda path: path.touch(), lambda path: path.write_text("rubble" * 1000)],
)
def test_a_half_created_store_is_kept_and_created_again(tmp_path, leave):
    path = tmp_path / "mlflow.db"
    leave(path)
    before = path.read_bytes()
    with pytest.warns(UserWarning, match=r"was incomplete. It was kept as mlflow.db.half-made-\d+-\d+"):
        ensure_complete(tmp_path, tracking_uri(tmp_path))
    (kept,) = tmp_path.glob("mlflow.db.half-made-*")
    assert kept.read_bytes() == before and path.read_text() == "made"
    assert not (tmp_path / REBUILD).exists(), "there is no study to rebuild it from"


@pytest.mark.usefixtures("quickly")
def test_a_foreign_store_is_left_unchanged(tmp_path):
    for leave, name in ((other, "other.db"), (lambda path: path.write_text("rubble" * 1000), "text.db")):
        leave(tmp_path / name)
        before = (tmp_path / name).read_bytes()
        ensure_complete(tmp_path, f"sqlite:///{tmp_path / name}")
        assert (tmp_path / name).read_bytes() == before


def study(home, name, trials):
    """A study of made-up trials with models, in its folder."""
    journal = Journal(home.create(name) / "journal.jsonl")
    journal.append(StudyStarted(at=1000.0, config=samples.config(name=name)), durable=False)
    for number in range(trials):
        first, *rest = samples.trial_events(number, 0.5 + number / 100, 1.0 + number, at=1001.0 + number)
        for event in (first.replace(uid=f"{name}-{number}"), *rest):
            journal.append(event, durable=False)
        eye(trial_folder(home.path(name), number) / "bundle", f"{name}-{number}")
    journal.append(StudyEnded(at=2000.0, reason="done", chosen=0), durable=False)
    return Study(name, home)


def seen(home):
    """All that must come back."""
    columns = ["version", "aliases", "study", "trial", "score", "latency_ms"]
    table = Registry(home.folder).versions("flowers")[columns].to_dict("records")
    with opened_store(home.folder) as store:
        runs = {run.data.tags.get("lepton.trial_uid", run.info.run_name) for run in store.runs(store.experiment("roses"), None)}
        past = store.client.get_registered_model("flowers").tags["lepton.history.champion"]
    return table, runs, past


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["half made", "gone"])
def test_a_lost_store_comes_back_from_the_journals(tmp_path, loss):
    home = StudyStore(tmp_path / "mlruns")
    roses, tulips = study(home, "roses", 2), study(home, "tulips", 3)
    for owner, trial in ((roses, 0), (tulips, 1), (tulips, 2), (roses, 1)):
        owner.tracking.register(trial, "flowers", "champion")
    registry = Registry(home.folder)
    registry.promote("flowers", 2, alias="challenger")
    registry.promote("flowers", 1)
    assert registry.roll_back("flowers") == "4" and registry.roll_back("flowers") == "3"
    before = seen(home)
    shutil.rmtree(home.path("tulips") / "trials" / "00001")  # its version cannot come back, and the others keep their numbers
    (home.folder / "mlflow.db").unlink()
    if loss == "half made":
        cut(home.folder / "mlflow.db", column=True)
    with pytest.warns(UserWarning, match="was incomplete") if loss == "half made" else contextlib.nullcontext():
        roses.tracking.sync()
    table, runs, past = seen(home)
    assert table == [row for row in before[0] if row["version"] != "2"] and runs == before[1]
    assert past == before[2].replace("2,", "") and not (home.folder / REBUILD).exists()
    assert Registry(home.folder).roll_back("flowers") == "1"


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 100_000, 300_000])
def test_a_kill_during_creation_leaves_no_store_or_a_complete_one(tmp_path, size):
    """Killed when so many bytes of the file are written; what comes after finds a store that works."""
    home = tmp_path / "mlruns"
    code = f"from lepton_automl.tracking.store import opened_store\nfrom pathlib import Path\nwith opened_store(Path({str(home)!r})): pass"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while process.poll() is None and not any(path.stat().st_size >= size for path in home.glob("mlflow.db.making-*[0-9]")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was too fast"
    assert not (home / "mlflow.db").exists()
    with opened_store(home) as store:
        assert store.client.get_experiment_by_name("Default")
