"""A trial as code: the script trains exactly its network and reaches its score."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from lepton_automl import AutoML, Budget, ConfigError, Integer
from lepton_automl.cli import app
from lepton_automl.data.demo import digits
from lepton_automl.factory import Factory
from lepton_automl.modalities.image.recipe import Block, ConvRecipe, Stage
from lepton_automl.modalities.image.spec import ImageAugmentation
from lepton_automl.plans import TrainPlan
from lepton_automl.study.code_custom import _own_code
from lepton_automl.study.code_values import WIDTH, Imports, written
from tests.custom_networks import make
from tests.samples import two_classes

TOLERANCE = 0.02  # of accuracy: on the machine of the study the weights are usually equal


@pytest.fixture(scope="module")
def table():
    return two_classes()


@pytest.fixture(scope="module")
def study(tmp_path_factory, table):
    request = AutoML(name="study", home=tmp_path_factory.mktemp("home"), budget=Budget(trials=3), progress=False)
    return request.fit(*table, folds=0)


def last_scores(script, folder):
    """Run a script, and read the scores that it prints."""
    file = folder / "script.py"
    file.write_text(script)
    environment = os.environ | {"PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}  # noqa: PTH109  # tests may be imported
    done = subprocess.run(
        [sys.executable, file], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    line = next(line for line in reversed(done.stdout.splitlines()) if "{" in line)
    return ast.literal_eval(line[line.index("{") :])


def check_scores(study, number, folder):
    known = study.state.trial(number).result.scores
    found = last_scores(study.code(number), folder)
    assert found.keys() == known.keys()
    assert found["accuracy"] == pytest.approx(known["accuracy"], abs=TOLERANCE)
    return found


def test_values_are_written_as_code_that_makes_them_again():
    stages = tuple(
        Stage(width=width, stride=2, blocks=(Block(kind="residual", mid=width), Block(kind="plain"))) for width in (16, 32, 64)
    )
    recipe = ConvRecipe(outputs=3, image=(3, 32, 32), pixel_mean=(1 / 3,), stem=8, stages=stages)
    plan = TrainPlan(lr=0.1, augment=ImageAugmentation(flip=True))
    for value in (recipe, plan, ["a'\"\\\n", ("b",), {"c": None, "d": float("inf")}]):
        imports = Imports()
        code = written(value, imports, name="value", whole=TrainPlan)
        names: dict[str, object] = {}
        exec(f"{imports.lines()}\n{code}", names)
        assert names["value"] == value
        assert all(len(line) <= WIDTH for line in code.splitlines())
    assert "weight_decay=0.01" in written(plan, Imports(), whole=TrainPlan)  # a default, for those who want to change it


def test_every_trial_has_code_that_says_what_it_reached(study):
    for trial in study.state.trials.values():
        script = study.code(trial.number)
        compile(script, "script.py", "exec")
        score = f"accuracy {trial.result.scores['accuracy']:.4f} on the" if trial.is_packed else f"{trial.status}, without"
        assert script.startswith(f'"""Trial {trial.number} of the study study as code: {score}')
        assert len(script.splitlines()) < 90
    text = " ".join(study.best().code().split())
    assert ("data.whole() in place of data" in text) == study.best().refitted


def test_a_linear_model_is_solved_without_a_trainer(study, tmp_path):
    script = study.code(0)
    assert "Trainer" not in script
    assert last_scores(script, tmp_path) == pytest.approx(study.state.trial(0).result.scores, abs=1e-4)


def test_the_ending_of_the_file_decides_its_form(study, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    study.code(1, tmp_path / "trial.ipynb")
    notebook = nbformat.reads((tmp_path / "trial.ipynb").read_text(), as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# Trial 1")
    code = "\n".join(cell.source for cell in notebook.cells[1:])
    assert json.dumps(str(study.folder / "data")) in code and "Trainer" in code
    with pytest.raises(ConfigError, match=r"\.py or \.ipynb"):
        study.code(1, tmp_path / "trial.txt")
    with pytest.raises(ConfigError, match="there is no trial 7"):
        study.code(7)


def test_an_edited_script_is_not_replaced(study, tmp_path):
    file = tmp_path / "trial.py"
    for _ in range(2):
        study.code(1, file)
    file.write_text(file.read_text() + "# mine\n")
    with pytest.raises(ConfigError, match=r"trial\.py exists and has other content"):
        study.code(1, file)
    assert file.read_text().endswith("# mine\n")


def test_the_shell_writes_it(study, tmp_path, monkeypatch):
    monkeypatch.setenv("LEPTON_HOME", str(study.home.folder))
    assert CliRunner().invoke(app, ["code", "study", "--trial", "1"]).output == study.code(1)
    assert "Try: python" in CliRunner().invoke(app, ["code", "study", "--out", str(tmp_path / "best.py")]).output
    assert (tmp_path / "best.py").read_text() == study.best().code()


@pytest.mark.slow
def test_the_script_of_a_table_reaches_the_score_of_the_trial(study, tmp_path):
    for number in sorted({1, study.best().number}):
        check_scores(study, number, tmp_path)


@pytest.mark.slow
def test_the_script_of_a_pruned_network_for_images_reaches_the_score_of_the_trial(tmp_path):
    request = AutoML(home=tmp_path, budget=Budget(trials=2), hyperparameters={"prune.ratio": 0.5}, progress=False, refit="none")
    study = request.fit(*digits())
    number = max(study.state.trials)
    assert "shrink(network, recipe" in study.code(number)
    check_scores(study, number, tmp_path)


@pytest.mark.slow
def test_the_script_of_a_cross_validated_trial_reaches_its_score(table, tmp_path):
    request = AutoML(home=tmp_path, budget=Budget(trials=2), progress=False, refit="none")
    study = request.fit(table[0][:200], table[1][:200], folds=3)
    assert check_scores(study, 1, tmp_path) == pytest.approx(study.state.trial(1).result.scores, abs=1e-6)


@pytest.mark.slow
def test_the_script_of_a_network_of_the_users_uses_their_code(tmp_path):
    space = {"model.width": Integer(4, 16, default=16), "train.lr": 5e-3, "train.epochs": 6, "prune.ratio": 0.5}
    request = AutoML(home=tmp_path, model=make, space=space, budget=Budget(trials=1), progress=False, refit="none")
    study = request.fit(*digits())
    assert "from tests.custom_networks import make" in study.code(0)
    check_scores(study, 0, tmp_path)


def test_folders_of_the_users_code_stay_whole():
    factory = Factory(module="mine", name="make", paths=(f"/{'long-name/' * 20}site-packages", "/it's/here"))
    compile(_own_code(SimpleNamespace(factory=factory)), "script.py", "exec")
