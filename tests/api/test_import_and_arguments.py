"""The public interface: what importing loads, what it must not load, and errors for wrong arguments."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import lepton_automl
from lepton_automl import AutoML, Budget, ConfigError, Deployment, cli
from lepton_automl.events import StudyStarted
from lepton_automl.journal import Journal
from lepton_automl.study_store import StudyStore
from tests import samples

LIGHT = [
    "lepton_automl",
    "lepton_automl.api",
    "lepton_automl.cli",
    "lepton_automl.study.runner",
    "lepton_automl.study.launch",
    "lepton_automl.study.process",
    "lepton_automl.study.follow",
    "lepton_automl.study.study",
    "lepton_automl.search.loop",
    "lepton_automl.search.to_optuna",
    "lepton_automl.tracking.tracker",
    "lepton_automl.tracking.registry",
    "lepton_automl.reporting.plots",
    "lepton_automl.reporting.terminal",
    "lepton_automl.state",
    "lepton_automl.families",
    "lepton_automl.study_store",
    "lepton_automl.shipped",
    "lepton_automl.modalities.image.preprocess.images",
    "lepton_automl.modalities.table.preprocess.rows",
    "lepton_automl.data.prepare",
    "lepton_automl.deployment.predictor",
    "lepton_automl.deployment.bundle",
    "lepton_automl.execution.local",
]


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_without_torch(module):
    loaded = python(f"import sys, {module}; print('torch' in sys.modules)")
    assert loaded.strip() == "False"


def test_importing_the_package_is_fast_and_its_names_are_there():
    seconds = python("import time; t = time.process_time(); import lepton_automl; print(time.process_time() - t)")
    assert float(seconds) < 0.3
    for name in lepton_automl.__all__:
        assert getattr(lepton_automl, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        lepton_automl.Nothing  # noqa: B018


def lepton(*words: str, home: object, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "lepton_automl", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LEPTON_HOME": str(home), "COLUMNS": "200"},
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_every_wrong_argument_is_reported_in_one_error(tmp_path):
    with pytest.raises(ValueError, match="5 things are wrong") as error:
        AutoML(name="a/b", objectives=("accurcy",), metric="acc", workers=0, budget=3, home=tmp_path)
    for part in ("cannot be a study's name", "Did you mean 'accuracy'", "metric", "workers", "Budget(...)"):
        assert part in str(error.value)


def test_settings_of_the_search_are_validated(tmp_path, table):
    with pytest.raises(ValueError, match="5 things are wrong") as error:
        AutoML(sampler="tep", grid=("model.width",), callbacks=["x"], warm_start=["photos", 3], home=tmp_path)
    for part in ("Did you mean 'tpe'", "sampler='grid'", "is not callable", "no study 'photos'", "warm_start is 3"):
        assert part in str(error.value)
    study = AutoML(name="wrong", sampler="grid", grid="model.widht", home=tmp_path, progress=False)
    with pytest.raises(ValueError, match=r"Did you mean 'model\.width'"):
        study.fit(table, target="price")
    study = AutoML(name="wrong", initial_configs=[{"train.lrr": 0.1}], home=tmp_path, progress=False)
    with pytest.raises(ValueError, match=r"Did you mean 'train\.lr'"):
        study.fit(table, target="price")
    assert not (tmp_path / "studies" / "wrong").exists()
    earlier = StudyStore(tmp_path).create("earlier")
    Journal(earlier / "journal.jsonl").append(StudyStarted(at=1.0, config=samples.config(name="earlier")))
    automl = AutoML(name="wrong", warm_start="earlier", home=tmp_path, progress=False)
    shutil.rmtree(earlier)  # between the request and its fit
    with pytest.raises(ConfigError, match="no study 'earlier'"):
        automl.fit(table, target="price")
    assert not (tmp_path / "studies" / "wrong").exists()
    output = lepton("search", "x.csv", "--cost", "1", "--price", "cpu:2", home=tmp_path, code=1)
    assert "'cpu:2' is not a valid price" in output and "Traceback" not in output


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"size": rng.normal(size=300), "colour": rng.choice(["red", "blue"], 300), "price": rng.normal(size=300)}
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"target": "prise"}, "Did you mean 'price'"),
        ({"target": "price", "ignor": ["size"]}, "Did you mean 'ignore'"),
        ({"target": "price", "test_share": 2}, "test_share"),
    ],
)
def test_a_wrong_data_option_leaves_no_study_behind(tmp_path, table, options, says):
    study = AutoML(name="wrong", home=tmp_path, progress=False)
    with pytest.raises(ValueError, match=says):
        study.fit(table, **options)
    assert not (tmp_path / "studies" / "wrong").exists()


def test_a_metric_of_another_task_is_refused_before_any_work(tmp_path, table):
    study = AutoML(name="wrong", metric="accuracy", home=tmp_path, progress=False)
    with pytest.raises(ValueError, match="no metric 'accuracy' for a regression task"):
        study.fit(table, target="price")
    assert not (tmp_path / "studies" / "wrong").exists()


def test_the_shell_reports_errors_without_a_traceback(tmp_path):
    output = lepton("front", "nothing", home=tmp_path, code=1)
    assert "there is no study 'nothing'" in output and "Traceback" not in output
    output = lepton("search", "nowhere.csv", "--minutes", "0", home=tmp_path, code=1)
    assert "minutes is 0" in output and "Traceback" not in output
    output = lepton("search", str(tmp_path / "nowhere.csv"), "--minutes", "1", home=tmp_path, code=1)
    assert "nowhere.csv" in output and "What to do" in output and "Traceback" not in output
    assert "There are no studies" in lepton("list", home=tmp_path)


def test_a_read_only_home_is_an_error(tmp_path, table):
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeError, match="cannot make a folder for the study"):
        AutoML(name="a", home=tmp_path / "file", budget=Budget(trials=1), deployment=Deployment()).fit(table, target="price")


def test_help_is_there_for_every_command(tmp_path):
    output = lepton("--help", home=tmp_path)
    for command in (
        "demo",
        "search",
        "list",
        "status",
        "pause",
        "resume",
        "stop",
        "extend",
        "front",
        "predict",
        "export",
        "bottleneck",
        "delete",
        "ui",
    ):
        assert command in output


def test_read_only_commands_load_no_slow_library(tmp_path):
    code = (
        "import sys; from lepton_automl.cli import app; app(['list'], standalone_mode=False)\n"
        "from lepton_automl.study.study import Study; import lepton_automl.reporting.status\n"
        "print([name for name in ('numpy', 'pandas', 'onnxruntime', 'torch', 'mlflow', 'rich', 'pydantic') if name in sys.modules])"
    )
    assert python(code, LEPTON_HOME=str(tmp_path)).splitlines()[-1] == "[]"


def test_the_shell_takes_tasks_labels_quantiles_and_objectives(monkeypatch):
    calls = []
    monkeypatch.setattr(
        AutoML, "fit", lambda self, data, **options: calls.append((self.objectives, options)) or SimpleNamespace(name="a")
    )
    words = [
        "search",
        "rows.csv",
        "--detach",
        "--objectives",
        "accuracy,memory",
        "--task",
        "multilabel",
        "--label-separator",
        " ",
    ]
    assert CliRunner().invoke(cli.app, words).exit_code == 0
    ((objectives, options),) = calls
    assert objectives == ("accuracy", "memory") and (options["task"], options["label_separator"]) == ("multilabel", " ")
    assert CliRunner().invoke(cli.app, ["search", "rows.csv", "--detach", "--quantiles", "0.1,0.9"]).exit_code == 0
    assert calls[1][1]["quantiles"] == (0.1, 0.9)
    with pytest.raises(ConfigError, match="not a number"):
        CliRunner().invoke(cli.app, ["search", "rows.csv", "--quantiles", "low"], catch_exceptions=False)
