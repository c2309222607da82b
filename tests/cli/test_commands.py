"""Commands of the shell on one finished study."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from lepton_automl import AutoML, Budget, __version__, load_model, open_study
from lepton_automl.cli import app
from lepton_automl.deployment.command import example_names

RUNNER = CliRunner(env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4)).astype(np.float32)
    home = tmp_path_factory.mktemp("home")
    request = AutoML(name="study", home=home, budget=Budget(trials=3), progress=False, refit="none")
    return request.fit(x, (x[:, 0] * x[:, 1] > 0).astype(int), folds=0)


@pytest.fixture(autouse=True)
def in_its_home(study, monkeypatch):
    monkeypatch.setenv("LEPTON_HOME", str(study.home.folder))


def run(*words, code=0):
    done = RUNNER.invoke(app, list(words))
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def test_it_prints_its_version():
    assert run("--version").strip() == f"lepton {__version__}"


@pytest.mark.parametrize("words", [["-h"], ["search", "-h"], ["front", "--help"]])
def test_help_is_short_for_h(words):
    assert "Usage" in run(*words)


def test_commands_are_grouped_in_the_help():
    page = run("-h")
    assert all(f" {group} " in page for group in ("Search", "Studies", "Models", "MLflow"))


def test_a_model_is_named_by_its_trial_or_by_what_it_must_reach(study, tmp_path):
    run("export", "study", "--out", str(tmp_path / "first"), "--trial", "0")
    assert load_model(tmp_path / "first").predict(np.zeros((1, 4))) is not None
    assert (tmp_path / "first" / "README.md").read_text().startswith("# study/0")
    fastest = study.best(min_score=0.1)
    run("export", "study", "--out", str(tmp_path / "fast"), "--min-score", "0.1")
    assert (tmp_path / "fast" / "README.md").read_text().startswith(f"# study/{fastest.number}")


def test_a_trial_and_a_wish_contradict_each_other():
    done = RUNNER.invoke(app, ["export", "study", "--out", "x", "--trial", "0", "--knee"])
    assert done.exit_code and "--trial names a model" in str(done.exception)


def test_a_hyperparameter_needs_a_value():
    done = RUNNER.invoke(app, ["search", "data.csv", "--knob", "model.kernel"])
    assert done.exit_code and "has no value" in str(done.exception)


def test_the_test_split_is_opened_later(study):
    assert "test accuracy of the chosen model" in run("test", "study")
    assert study.best().test_scores


def test_a_model_is_registered_by_its_trial(study):
    assert "study version" in run("register", "study", "--trial", "0", "--alias", "challenger")


def test_the_settings_of_a_study_start_another(study, tmp_path):
    file, data = tmp_path / "study.toml", tmp_path / "data.csv"
    file.write_text(run("show-config", "study"))
    settings = tomllib.loads(file.read_text())
    assert settings["trials"] == 3 and settings["metric"] == "accuracy" and settings["refit"] == "none"
    pd.DataFrame({"a": range(200), "target": [0, 1] * 100}).to_csv(data, index=False)
    run("search", str(data), "--config", str(file), "--trials", "1", "--name", "again", "--folds", "0")
    again = open_study("again")
    assert len(again.state.trials) == 1 and again.state.settings.refit == "none"


@pytest.fixture
def shop(tmp_path):
    """The URL of a database with a table `people`."""
    with contextlib.closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        pd.DataFrame({"a": range(200), "target": [0, 1] * 100}).to_sql("people", database, index=False)
    return f"sqlite:///{tmp_path}/shop.db"


SQL = "select * from people"


def test_a_query_is_searched_predicted_and_written_into_a_config_file(shop, tmp_path, monkeypatch):
    settings = ["--trials", "1", "--folds", "0", "--refit", "none"]
    run("search", "--sql", SQL, "--connection", f"{shop}?password=hunter2", "--name", "people", "--target", "target", *settings)
    assert all("hunter2" not in path.read_text(errors="replace") for path in open_study("people").folder.rglob("*.json*"))
    assert len(run("predict", "people", "--sql", f"{SQL} limit 3", "--connection", shop).splitlines()) == 3
    file = tmp_path / "study.toml"
    file.write_text(run("show-config", "people"))
    settings = tomllib.loads(file.read_text())
    assert settings["sql"] == SQL and settings["connection"] == shop and settings["target"] == "target"
    monkeypatch.setenv("LEPTON_CONNECTION", shop)
    file.write_text(file.read_text().replace(shop, "sqlite:///nowhere/shop.db"))  # the environment has the password, so it wins
    run("search", "--config", str(file), "--name", "again-people")
    assert len(run("predict", "people", "--sql", SQL, "--out", str(tmp_path / "out.csv")).splitlines()) == 1
    assert len(pd.read_csv(tmp_path / "out.csv")) == 200


def test_a_password_on_the_command_line_is_warned_of(monkeypatch):
    words, url = ["predict", "nothing", "--sql", "select 1"], "postgresql://me:hunter2@host/shop"
    shown = RUNNER.invoke(app, [*words, "--connection", url]).output
    assert "can see the password" in shown and "hunter2" not in shown
    monkeypatch.setenv("LEPTON_CONNECTION", url)
    assert "password" not in RUNNER.invoke(app, words).output


def test_a_query_and_its_connection_belong_together(monkeypatch):
    for words, what in (
        (["predict", "study", "rows.csv", "--sql", "select 1"], "both a file and --sql are given"),
        (["search", "--sql", "select 1"], "--sql is given without --connection"),
        (["search", "rows.csv", "--connection", "sqlite://"], "--connection is given without --sql"),
    ):
        assert what in str(RUNNER.invoke(app, words).exception)
    monkeypatch.setenv("LEPTON_CONNECTION", "sqlite://")
    assert "no such file" in str(RUNNER.invoke(app, ["search", "rows.csv"]).exception)  # the variable is for queries alone


def test_unknown_settings_are_all_listed(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text('trails = 3\nmetrics = "f1"\n')
    done = RUNNER.invoke(app, ["search", "data.csv", "--config", str(file)])
    assert done.exit_code and "trials" in str(done.exception) and "'metrics'" in str(done.exception)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["predct", "study"], ["there is no command 'predct'. Did you mean 'predict'?", "lepton -h"]),
        (
            ["front", "study", "--josn"],
            ["lepton front: there is no option '--josn'. Did you mean '--json'?", "lepton front STUDY"],
        ),
        (["predict", "study"], ["FILE is missing", "lepton predict STUDY FILE"]),
        (["search"], ["DATA is missing", "lepton search DATA"]),
        (["export", "study"], ["--out is missing", "lepton export STUDY --out OUT"]),
        (["export", "study", "--out"], ["--out"]),
        (["search", "data.csv", "--minutes", "long"], ["--minutes: 'long' is not a number"]),
        (["front", "study", "more"], ["it takes no further argument, and there is 'more'"]),
    ],
)
def test_a_wrong_command_line_is_explained_as_all_other_errors_are(words, parts):
    done = RUNNER.invoke(app, words, prog_name="lepton")
    assert done.exit_code == 2 and done.output.startswith("error: ")
    assert all(part in done.output for part in parts), done.output


def test_names_of_studies_are_completed(study):
    words = {"_LEPTON_COMPLETE": "complete_bash", "COMP_WORDS": "lepton front st", "COMP_CWORD": "2"}
    assert RUNNER.invoke(app, [], prog_name="lepton", env=words).output.split() == ["study"]


def test_predictions_are_written_as_csv_or_json_lines(study, tmp_path):
    rows = pd.DataFrame(np.eye(4), columns=[name for name, _ in study.state.settings.data.input.columns])
    rows.to_csv(tmp_path / "rows.csv", index=False)
    printed = run("predict", "study", str(tmp_path / "rows.csv")).split()
    for ending in ("csv", "jsonl"):
        out = tmp_path / f"answers.{ending}"
        assert "4 predictions" in run("predict", "study", str(tmp_path / "rows.csv"), "--proba", "--out", str(out))
    table = pd.read_csv(tmp_path / "answers.csv")
    assert table.prediction.astype(str).tolist() == printed and table.row.tolist() == [1, 2, 3, 4]
    first = json.loads((tmp_path / "answers.jsonl").read_text().splitlines()[0])
    assert first["probabilities"]["1"] == pytest.approx(table["probability 1"][0])
    done = RUNNER.invoke(app, ["predict", "study", "no.csv", "--out", "answers.txt"])
    assert ".csv or .jsonl" in str(done.exception)  # before the rows are read


def test_files_of_a_folder_are_named(tmp_path):
    files = [tmp_path / "a.png", tmp_path / "more" / "b.png"]
    assert example_names(str(tmp_path), files) == ["a.png", str(Path("more") / "b.png")]
    assert not example_names("rows.csv", pd.DataFrame({"a": [1]})) and not example_names("a.png", files[0])


def test_a_report_is_about_the_model_that_is_named(study, tmp_path):
    other = next(trial.number for trial in study.state.trials.values() if trial.number != study.best().number)
    run("report", "study", "--trial", str(other), "--out", str(tmp_path / "other.html"))
    page = (tmp_path / "other.html").read_text()
    assert f"This report is about trial {other}, as requested." in page and f"lepton export study --trial {other}" in page
    assert f'download="trial_{other}.py"' in page


def test_a_model_of_a_study_is_served_by_its_trial(study, monkeypatch):
    served: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda _, command, __: served.append(command))
    assert "study version" in run("serve", "study", "--trial", "0", "--mlflow")
    assert "models:/study@trial-0" in served[0]


def test_what_is_served_is_named_on_the_command_line(study, tmp_path, monkeypatch):
    pytest.importorskip("httptools", reason="the extra serve is not installed")
    from lepton_automl.serving import server

    served = []
    monkeypatch.setattr(server, "serve", lambda sources, **given: served.append((sources, given["listening"])))
    bundle = study.best().export(tmp_path / "bundle")
    run("serve", f"other={bundle}", str(bundle), "--port", "0")
    run("serve", "study", "--trial", "0")
    run("serve", "study")
    (folders, listening), ([trial], _), ([registered], _) = served
    assert [source.name for source in folders] == ["other", "bundle"] and not listening.needs_key and listening.port == 0
    assert (trial.name, trial.poll().champion) == ("study", "trial-0")
    offer = registered.poll()
    registered.close()
    assert registered.name == "study" and (offer.versions[offer.champion] / "manifest.json").is_file()
    for wrong, why in [
        (["study", "--host", "0.0.0.0"], "other machines"),
        (["study", "study", "--trial", "0"], "2 models are named"),
        (["study", "--mlflow", "--require-key"], "neither keys nor TLS"),
        ([str(tmp_path / "nothing")], "no folder"),
        (["stud"], "Did you mean 'study'"),
    ]:
        assert why in str(RUNNER.invoke(app, ["serve", *wrong]).exception)


def test_keys_are_made_listed_and_removed(study):
    key = run("keys", "add", "shop", "--role", "predict", "--role", "feedback", "--rate", "5").strip()
    assert key.startswith("lepton_")
    assert "shop" in run("keys", "list") and "5 requests a second" in run("keys", "list")
    assert key not in run("keys", "list", "--json") and '"roles": ["predict", "feedback"]' in run("keys", "list", "--json")
    assert "removed" in run("keys", "remove", "shop") and "There are no keys" in run("keys", "list")
