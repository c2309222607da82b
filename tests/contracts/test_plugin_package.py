"""A package of plug-ins, installed beside this one, goes the whole way: contracts, a search, a served model."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tests" / "plugins"

SEARCH = """
import sys
from pathlib import Path
from lepton_automl import AutoML, Budget, Deployment

sys.path.insert(0, {contracts!r})
from contracts import write_sequences
from lepton_example.executor import Wandering

if __name__ == "__main__":
    folder = Path({folder!r})
    write_sequences(folder / "sequences.jsonl", 1500)
    study = AutoML(
        name="sequences",
        home=folder / "home",
        workers=1,
        budget=Budget(trials=3),
        deployment=Deployment(runtimes=("reference",)),
        executor=Wandering(reports=8),
        sampler="climbing",
        metric="relative_error",
        objectives=("accuracy", "latency", "steps"),
        progress=False,
    ).fit(folder / "sequences.jsonl", task="change", longest=10, wait=True)
    model = study.best()
    print(model.predict([1.0, 2.0, 3.0]), study.trials["status"].tolist(), study.trials["steps"].min() > 0)
    journal = (study.folder / "journal.jsonl").read_text()
    assert "place-1 on" in journal and journal.count("TrialRetried") == 1 and '"counted":false' in journal.replace(" ", "")
    complete = study.trials.trial[study.trials.status == "complete"].tolist()
    found = study.models.compare(complete[0], complete[-1])
    assert (found.low <= found.high).all(), found
    assert abs(found.first["relative_error"] - study.models[complete[0]].score) < 1e-6, found
    model.export(folder / "bundle")
    model.register("sequences")
"""
PROGRAMS = """
import sys
from pathlib import Path
from lepton_automl import AutoML, Budget, Deployment, load_model

sys.path.insert(0, {contracts!r})
from contracts import write_sequences

if __name__ == "__main__":
    folder = Path({folder!r})
    for task, family, trials in (("caption", "writer", 2), ("change", "recurrent", 1)):
        source = write_sequences(folder / (task + ".jsonl"), 800, captions=task == "caption")
        deployment = Deployment(runtimes=("onnxruntime", "reference"))
        request = AutoML(
            name=task, home=folder / "home", workers=1, budget=Budget(trials=trials), deployment=deployment, family=family,
            objectives=(task == "caption" and "right_letters" or "rmse", "latency", "size", "memory"), progress=False,
        )
        study = request.fit(source, task=task, longest=10, wait=True)
        model = study.best()
        print(study.trials["status"].tolist(), model.score, model.predict([1.0, 3.0, 5.0, 7.0]))
        model.export(folder / task)
        model.register(task)
        assert load_model(folder / task).predict([1.0, 3.0, 5.0, 7.0]) == model.predict([1.0, 3.0, 5.0, 7.0])
    stream = model.stream()
    print([stream.feed([number]) for number in (1.0, 3.0, 5.0, 7.0)][-1], model.predict([1.0, 3.0, 5.0, 7.0]))
"""
ALONE_PROGRAMS = """
sys.modules["torch"] = None
sys.path.insert(0, sys.argv[1])
import predict
print(predict.predict([1.0, 3.0, 5.0, 7.0]))
model = predict.Predictor(sys.argv[1])
if model.streams:
    stream = model.stream()
    print([stream.feed([number]) for number in (1.0, 3.0, 5.0, 7.0)][-1])
"""
SERVED_PROGRAMS = """
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
print(model.predict(pd.DataFrame({"values": [[1.0, 3.0, 5.0, 7.0]]}))["prediction"][0])
"""
HIDDEN = "import sys\nsys.modules['lepton_automl'] = sys.modules['lepton_example'] = None  # an import of either fails\n"
ALONE = """
sys.path.insert(0, sys.argv[1])
import predict
print(predict.predict([1.0, 2.0, 3.0]), predict.predict([[1.0, 2.0, 3.0], [5.0]]).shape)
"""
SERVED = """
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
(row,) = model.predict(pd.DataFrame({"values": [[1.0, 2.0, 3.0]]})).to_dict("records")
print(row["prediction"], row["change"])
"""


def run(folder, *command, path, timeout=600):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, command)], env=env, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-6000:]
    return done


def logged(home, bundle):
    """The folder of the MLflow model that a bundle has become."""
    manifest = (bundle / "manifest.json").read_bytes()
    models = (path.parent for path in home.rglob("MLmodel"))
    return next(path for path in models if next(path.rglob("manifest.json")).read_bytes() == manifest)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that the package of plug-ins is installed in."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(PACKAGE, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    target = folder / "target"
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", target)
    run(folder, "-m", "pip", "install", *options, folder / "source", path=())
    return target


@pytest.mark.slow
def test_plug_ins_of_another_package_keep_the_contracts(installed, tmp_path):
    contracts = PACKAGE / "contracts.py"
    run(ROOT, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", contracts, path=(installed, ROOT))


@pytest.mark.slow
def test_a_search_with_plug_ins_of_another_package_ends_in_a_served_model(installed, tmp_path):
    (tmp_path / "search.py").write_text(SEARCH.format(folder=str(tmp_path), contracts=str(PACKAGE)))
    out = run(tmp_path, "search.py", path=(installed, ROOT)).stdout
    answer = float(out.split()[0])
    assert "complete" in out and "failed" not in out and "True" in out
    bundle = tmp_path / "bundle"
    assert json.loads((bundle / "runtime.json").read_text())["runtime"] == "reference"
    (tmp_path / "alone.py").write_text(HIDDEN + ALONE)
    alone = run(tmp_path, "alone.py", bundle, path=())
    assert float(alone.stdout.split()[0]) == pytest.approx(answer, abs=1e-4) and "(2,)" in alone.stdout
    assert (bundle / "model.npz").exists() and not (bundle / "model.onnx").exists()
    assert "onnxruntime" not in (bundle / "requirements.txt").read_text()
    (tmp_path / "served.py").write_text(HIDDEN + SERVED)
    prediction, change = map(float, run(tmp_path, "served.py", logged(tmp_path / "home", bundle), path=()).stdout.split()[-2:])
    assert prediction == pytest.approx(answer, abs=1e-4) and prediction == pytest.approx(3.0 + change)


@pytest.mark.slow
def test_networks_of_several_programs_go_from_a_search_to_a_served_model(installed, tmp_path):
    (tmp_path / "search.py").write_text(PROGRAMS.format(folder=str(tmp_path), contracts=str(PACKAGE)))
    out = run(tmp_path, "search.py", path=(installed, ROOT)).stdout.splitlines()
    caption, change, stream = out[-3].split()[-1], float(out[-2].split()[-1]), out[-1].split()
    assert set(caption) <= set("updownlevel") and float(stream[0]) == pytest.approx(
        float(stream[1]), abs=1e-4
    ) == pytest.approx(change, abs=1e-4)
    (tmp_path / "alone.py").write_text(HIDDEN + ALONE_PROGRAMS)
    (tmp_path / "served.py").write_text(HIDDEN + SERVED_PROGRAMS)
    for task, programs, answers in (("caption", ["encoder", "step"], [caption]), ("change", ["start", "step"], [change] * 2)):
        bundle = tmp_path / task
        assert sorted(file.stem for file in bundle.glob("*.onnx")) == programs
        assert [*json.loads((bundle / "manifest.json").read_text())["programs"]] == programs
        alone = run(tmp_path, "alone.py", bundle, path=()).stdout.split()
        served = run(tmp_path, "served.py", logged(tmp_path / "home", bundle), path=()).stdout.split()[-1:]
        for found in (alone, served * len(answers)):
            assert found == answers if task == "caption" else [*map(float, found)] == pytest.approx(answers, abs=1e-4)
