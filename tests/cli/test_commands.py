"""Commands of the shell on one finished study."""

from __future__ import annotations

import tomllib

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from lepton_automl import AutoML, Budget, __version__, load_model, open_study
from lepton_automl.cli import app

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
    fastest = min(study.models, key=lambda model: model.latency_ms)
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


def test_unknown_settings_are_all_listed(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text('trails = 3\nmetrics = "f1"\n')
    done = RUNNER.invoke(app, ["search", "data.csv", "--config", str(file)])
    assert done.exit_code and "trials" in str(done.exception) and "'metrics'" in str(done.exception)
