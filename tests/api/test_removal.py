"""Without one of its plug-ins the package works on: nothing inside leans on any of them. Minutes long: copies, trainings, tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEARN = """
import json, pathlib, subprocess, sys, tempfile
import numpy as np
from lepton_automl import families
from lepton_automl.data.datamodule import DataModule
from lepton_automl.data.open import open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.deployment.bundle import write_bundle
from lepton_automl.deployment.export import export
from lepton_automl.jobs import CONTINUE
from lepton_automl.models import build, deployable, save
from lepton_automl.training.fit import fit
rng = np.random.default_rng(0)
X = rng.random(({rows}, *{shape}))
data = open_data((X, (X.reshape(len(X), -1).mean(1) > 0.5).astype(int)), options=DataOptions(folds=0))
plan = families.usual_plan(data.spec).replace(epochs=2)
model = build(families.full_recipe(families.smallest(families.space_for(data.spec), data.spec), data.spec))
fit(model, DataModule(data, plan), plan, spec=data.spec, on_epoch=lambda *_: CONTINUE)
folder = pathlib.Path(tempfile.mkdtemp())
export(deployable(model, data.spec), {{name: rows[:64] for name, rows in data.train.inputs.items()}}, folder / "model.onnx")
save(model, folder)
write_bundle(folder / "bundle", model=folder / "model.onnx", weights=folder / "model.safetensors", recipe=model.recipe.to_json(),
             preprocess=data.preprocess.to_json(), provenance={{}}, card="")
np.save(folder / "rows.npy", X[:3])
answers = subprocess.run([sys.executable, "-P", "predict.py", str(folder / "rows.npy")], cwd=folder / "bundle", check=True,
                         capture_output=True, text=True).stdout.split()
assert len(answers) == 3 and set(answers) <= {{"0", "1"}}, answers
"""
IMAGES, TABLES = LEARN.format(rows=400, shape=(8, 8)), LEARN.format(rows=400, shape=(6,))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "program", "tests", "about_what_is_gone"),
    [
        ("modalities/table", IMAGES, ["tests/data/test_images.py"], "bad_folders_are_errors"),
        ("modalities/image", TABLES, ["tests/data/test_tables.py"], "all_wrong_options or loads_no_torch"),
        ("tasks/regression", IMAGES, ["tests/data/test_images.py", "tests/tasks/test_multilabel.py"], "nothing"),
        ("tasks/multilabel", TABLES, ["tests/tasks/test_quantile.py"], "nothing"),
    ],
)
def test_the_others_work_without(folder, program, tests, about_what_is_gone, tmp_path):
    """A copy of the tree without a plug-in's folder and its lines of registration."""
    for name in ("lepton_automl", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.parquet"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.rmtree(tmp_path / "lepton_automl" / folder)
    registry = tmp_path / "lepton_automl" / "plugins.py"
    lines = [line for line in registry.read_text().splitlines(keepends=True) if folder.replace("/", ".") not in line]
    registry.write_text("".join(lines))
    assert not re.search(folder.replace("/", r"\."), registry.read_text())
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    run("-c", program)
    run("-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", f"not ({about_what_is_gone})")
