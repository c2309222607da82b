"""A home that was copied or moved is a home of its own: nothing is written to, or loaded from, where it came from."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import typing
from contextlib import closing

import pytest

from lepton_automl import Registry
from lepton_automl._json import Value
from lepton_automl.events import KINDS, PATHS, StudyStarted, TrialEnded
from lepton_automl.study.launch import requested_config, write_request
from lepton_automl.study.study import Study
from lepton_automl.study_store import JOURNAL, StudyStore, study_journal
from lepton_automl.tracking import moved
from lepton_automl.tracking.store import opened_store
from tests.samples import config, events, image_spec
from tests.tracking.test_store_repair import study as finished

PATH = re.compile("path|folder|file|bundle|uri|home")


@pytest.fixture
def home(tmp_path):
    home = StudyStore(tmp_path / "home")
    folder = home.create("sample")
    asked = config(image_spec().replace(folder=str(folder / "data")))
    write_request(asked, folder)
    journal = study_journal(folder)
    for event in events()[:-1]:
        if isinstance(event, StudyStarted):
            event = event.replace(config=asked)
        if isinstance(event, TrialEnded) and event.result.folder:
            event = event.replace(result=event.result.replace(folder=str(folder / "trials/00000/bundle")))
        journal.append(event)
    return home


def test_a_studys_paths_follow_its_folder_and_are_relative_in_its_files(home, tmp_path):
    for file in (JOURNAL, "config.json"):
        assert str(tmp_path) not in (home.path("sample") / file).read_text()
    shutil.copytree(home.folder, tmp_path / "copy")
    shutil.copytree(home.path("sample"), tmp_path / "alone" / "studies" / "other")
    for place, name in ((home.folder, "sample"), (tmp_path / "copy", "sample"), (tmp_path / "alone", "other")):
        study = Study(name, place)
        assert study.state.settings.data.folder == str(study.folder / "data")
        assert study.state.trials[0].result.folder == str(study.folder / "trials/00000/bundle")
        assert requested_config(study.folder).data.folder == str(study.folder / "data") and study.client.damage == ""


def fields_of(kind, path=(), within=()):
    """All fields of a value and of the values in it that may hold a text."""
    for name, hint in typing.get_type_hints(kind).items():
        hints, parts = [hint], set()
        while hints:
            known = hints.pop()
            hints += typing.get_args(known)
            parts |= {known} if isinstance(known, type) else set()
        if str in parts:
            yield (*path, name)
        for part in parts - {kind, *within}:
            if issubclass(part, Value):
                yield from fields_of(part, (*path, name), (*within, kind))


def test_no_event_has_a_path_that_the_journal_does_not_know():
    paths = {(name, *field) for name, kind in KINDS.items() for field in fields_of(kind) if PATH.search(field[-1])}
    # Where a person's own code is imported from, which lies outside of the study, and MLflow's address.
    elsewhere = {path for path in paths if path[-2:] in {("factory", "paths"), ("function", "paths"), ("tracking", "uri")}}
    assert paths - elsewhere == {(name, *field) for name, field in PATHS.items()} and len(elsewhere) == 4


def test_a_path_out_of_a_study_is_not_followed_into_it(home):
    from lepton_automl.journal import current_path

    folder = home.path("sample")
    assert current_path("../../../etc", folder) == "../../../etc" and current_path("", folder) == ""
    assert current_path("/elsewhere/data", folder) == "/elsewhere/data"
    (folder / "data").mkdir()
    assert current_path("/gone/home/studies/sample/data", folder) == str(folder / "data")  # as older versions wrote it


def addresses(home) -> set[str]:
    with closing(sqlite3.connect(home / "mlflow.db")) as file:
        found = [file.execute(f"SELECT {column} FROM {table}").fetchall() for table, column in moved.PLACES]
    return {str(row[0]) for rows in found for row in rows if row[0]}


def test_a_store_that_was_copied_with_its_home_writes_beside_itself(home, tmp_path):
    with opened_store(home.folder) as store:
        experiment = store.experiment("sample")
        run = store.client.create_run(experiment).info.run_id
        theirs = store.client.create_experiment("theirs", artifact_location=(tmp_path / "their/artifacts/place").as_uri())
        store.client.log_text(run, "first", "note.txt")
    before = sorted((path, path.stat().st_mtime_ns) for path in home.folder.rglob("*") if path.is_file())
    copy = tmp_path / "a copy, ü"
    shutil.copytree(home.folder, copy)
    with opened_store(copy) as store:
        store.client.log_text(run, "second", "note.txt")
        found = store.client.get_run(run).info.artifact_uri
        assert store.client.get_experiment(theirs).artifact_location == (tmp_path / "their/artifacts/place").as_uri()
    assert found.startswith(copy.as_uri()) and len(list((copy / "artifacts").rglob("note.txt"))) == 1
    assert next((copy / "artifacts").rglob("note.txt")).read_text() == "second"
    after = sorted((path, path.stat().st_mtime_ns) for path in home.folder.rglob("*") if path.is_file())
    assert after == before
    assert not any(one.startswith(home.folder.as_uri() + "/") for one in addresses(copy))
    with opened_store(home.folder) as store:  # the original is as it was
        assert store.client.get_run(run).info.artifact_uri.startswith(home.folder.as_uri() + "/")
    link = tmp_path / "link"
    link.symlink_to(copy)
    known = addresses(copy)
    with opened_store(link):
        pass
    assert addresses(copy) == known  # another way to the same home


LOADS = """
import sys
opened, original = [], sys.argv[1]
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" and str(args[0]).startswith(original) else None)
import mlflow, numpy, pandas
picture = numpy.full((8, 8), 7, numpy.uint8).tolist()
print(mlflow.pyfunc.load_model("models:/flowers@champion").predict(pandas.DataFrame({"image": [picture]}))["prediction"][0])
print(opened)
"""


@pytest.mark.slow
def test_the_champion_of_a_copied_home_is_loaded_from_the_copy(tmp_path):
    """By MLflow alone, as the README shows it, once the copy was opened by us."""
    home, copy = tmp_path / "mlruns", tmp_path / "copy"
    flowers = finished(StudyStore(home), "flowers", 1)
    flowers.tracking.register(0, "flowers", "champion")
    shutil.copytree(home, copy)
    assert Registry(copy).models == ["flowers"]
    for original in ("there", "gone"):
        if original == "gone":
            shutil.rmtree(home)
        environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{copy}/mlflow.db"}
        command = [sys.executable, "-c", LOADS, str(home)]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert ran.stdout.splitlines() == ["7.0", "[]"], original
