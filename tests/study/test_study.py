"""The main road, for real: small data, real training, real MLflow, and the model in another process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from lepton_automl import AutoML, Budget, ConfigError, Deployment, LimitError, Registry, StudyError, load_model
from lepton_automl.data.demo import digits
from lepton_automl.error_analysis import HELD_OUT
from lepton_automl.study_store import trial_folder
from lepton_automl.tracking.registry import tracking_uri
from lepton_automl.tracking.store import opened_store
from tests.api.test_import_and_arguments import lepton, python

BLOCKED = "import sys; sys.modules['lepton_automl'] = sys.modules['torch'] = None; "


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def pictures():
    images, labels = digits()
    return images[:600], labels[:600]


@pytest.fixture(scope="module")
def study(home, pictures):
    study = AutoML(
        name="pictures", home=home, budget=Budget(trials=4), progress=False, seed=1, hyperparameters={"prune.ratio": 0.3}
    )
    return study.fit(*pictures, folds=0)


def test_the_front_holds_measured_models(study):
    front = study.front
    assert len(front) >= 1 and front.accuracy.max() > 0.8
    assert (front.latency_ms_low <= front.latency_ms).all() and (front.latency_ms <= front.latency_ms_high).all()
    assert len(study.trials) == 4 and study.state.ended.reason == "the budget of 4 trials is spent"
    assert set(study.trials.status) <= {"complete", "stopped"}


def test_its_clock_starts_before_the_data_are_prepared(study):
    assert study.state.started.at <= (study.folder / "data" / "spec.json").stat().st_mtime


def test_its_files_do_not_hold_the_path_of_its_home(study, home):
    folder = home / "studies" / "pictures"
    files = [
        folder / "journal.jsonl",
        folder / "config.json",
        *folder.glob("**/spare.jsonl"),
        *folder.glob("trials/*/bundle/*.json"),
    ]
    assert len(files) > 6
    assert [file for file in files if str(home) in file.read_text()] == []


def test_the_first_trial_is_a_solved_linear_model(study):
    trial = study.state.trials[0]
    assert trial.proposed.config["model.family"] == "linear_image" and trial.status == "complete" and not trial.epochs
    assert all(other.epochs for other in study.state.trials.values() if other is not trial)


def test_no_score_counts_before_pruning(study):
    for trial in list(study.state.trials.values())[1:]:
        cut = study.state.settings.prune.cut_epoch(study.state.settings.train.epochs)
        early = [report for report in trial.reports if 0 < report.epoch <= cut]
        assert early and all("accuracy" not in report.scores for report in early)


def test_the_chosen_model_predicts_in_labels(study, pictures):
    images, labels = pictures
    model = study.best()
    assert np.mean(model.predict(images) == labels) > 0.8
    one = model.predict_proba(images[0])
    assert one.shape == (10,) and abs(one.sum() - 1) < 1e-5
    assert study.best(min_score=0.5).latency_ms == study.front.latency_ms.min()
    with pytest.raises(LimitError, match="the fastest takes"):
        study.best(max_latency_ms=1e-6)


def test_the_bundle_predicts_the_same_without_this_package(study, pictures, tmp_path):
    images, _ = pictures
    folder = study.export(tmp_path / "bundle")
    assert (load_model(folder).predict(images[:20]) == study.predict(images[:20])).all()
    np.save(tmp_path / "rows.npy", images[:20])
    code = (
        BLOCKED + f"sys.path.insert(0, {str(folder)!r}); import numpy, predict; "
        f"print(predict.Predictor({str(folder)!r}).predict(numpy.load({str(tmp_path / 'rows.npy')!r})).tolist())"
    )
    assert json.loads(python(code)) == study.predict(images[:20]).tolist()
    (folder / "model.onnx").write_bytes(b"changed" + (folder / "model.onnx").read_bytes())
    with pytest.raises(RuntimeError, match=r"model\.onnx"):
        load_model(folder)


def test_an_exported_bundle_is_signed(study, home, tmp_path):
    keys = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    form = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    key = keys.Ed25519PrivateKey.generate()
    secret, public = tmp_path / "key.pem", tmp_path / "public.pem"
    secret.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo))
    output = lepton("export", "pictures", "--out", str(tmp_path / "signed"), "--key", str(secret), home=home)
    assert "predict.py" in output
    load_model(tmp_path / "signed", public_key=public)
    with pytest.raises(RuntimeError, match="not signed"):
        load_model(study.export(tmp_path / "unsigned"), public_key=public)
    with pytest.raises(ConfigError, match="this private key cannot be used"):
        study.export(tmp_path / "nothing", key=public)
    assert not (tmp_path / "nothing").exists()


def test_the_champion_loads_from_mlflow_without_this_package(study, pictures, home, tmp_path):
    images, _ = pictures
    np.save(tmp_path / "rows.npy", images[:10])
    code = (
        BLOCKED + "import mlflow, numpy; model = mlflow.pyfunc.load_model('models:/pictures@champion'); "
        f"print(model.predict({{'image': numpy.load({str(tmp_path / 'rows.npy')!r})}}).prediction.tolist())"
    )
    output = python(code, MLFLOW_TRACKING_URI=tracking_uri(home))
    assert json.loads(output.strip().splitlines()[-1]) == study.predict(images[:10]).tolist()


def test_every_trial_is_a_run_under_the_study(study, home):
    code = (
        "import mlflow, json; runs = mlflow.search_runs(search_all_experiments=True, output_format='list'); "
        "print(json.dumps([[run.data.tags.get('mlflow.parentRunId', ''), run.data.tags.get('lepton.status', '')] for run in runs]))"
    )
    runs = json.loads(python(code, MLFLOW_TRACKING_URI=tracking_uri(home)).strip().splitlines()[-1])
    assert sum(bool(parent) for parent, _ in runs) == 4 and sum(not parent for parent, _ in runs) == 1


def test_the_test_split_is_evaluated_once_for_the_whole_front(study, home):
    tested = study.evaluate_test()
    assert tested.test_accuracy.notna().all() and tested.test_accuracy.max() > 0.8
    events = len(list(study.home.journal("pictures").read()))
    study.evaluate_test()
    assert len(list(study.home.journal("pictures").read())) == events
    assert study.best().test_scores["accuracy"] > 0.7
    (version,) = Registry(home).versions("pictures").to_dict("records")
    assert version["test_accuracy"] == pytest.approx(study.best().test_scores["accuracy"], rel=1e-4)
    assert version["aliases"] == "champion" and version["data_digest"] == study.state.settings.data.digest
    with opened_store(home) as store:
        logged = store.client.search_logged_models([store.experiment("pictures")])
    on_front = [model for model in logged if model.tags["lepton.on_front"] == "true"]  # others were logged before acceleration
    assert sorted(int(model.tags["lepton.trial"]) for model in on_front) == sorted(study.front.trial)
    assert study.register() == version["version"], "a model became two versions"


def test_two_models_are_compared_on_the_same_rows(study):
    complete = study.trials[study.trials.status == "complete"].trial.tolist()
    first, second = complete[0], complete[-1]  # a slow machine may complete one alone
    found = study.models.compare(first, second)
    assert list(found.index) == ["accuracy", "balanced_accuracy", "f1", "auroc", "average_precision", "mcc", "log_loss"]
    assert found.loc["accuracy", ["first", "second"]].tolist() == pytest.approx(
        [study.models[number].score for number in (first, second)]
    )
    assert (found.difference == found.second - found["first"]).all() and (found.low <= found.high).all()
    with pytest.raises(StudyError, match="cross-validated"):
        study.models.compare(first, second, split="held-out")


def test_the_shell_shows_what_python_knows(study, home, pictures, tmp_path):
    content = json.loads(lepton("front", "pictures", "--json", home=home))
    assert set(content) >= {"study", "metric", "chosen", "test_score", "models"}
    assert set(content["models"][0]) >= {"trial", "score", "latency_ms", "size_bytes"}
    assert content["chosen"] == study.best().number
    assert json.loads(lepton("status", "pictures", "--json", home=home))["front"] == len(study.front)
    assert "pictures: 4 trials" in lepton("list", home=home)
    from PIL import Image

    Image.fromarray((pictures[0][3] * 255 / 16).astype(np.uint8)).save(tmp_path / "digit.png")
    assert lepton("predict", "pictures", str(tmp_path / "digit.png"), home=home).strip() == str(study.predict(pictures[0][3]))
    assert "ended" in lepton("list", home=home)
    assert "predict.py" in lepton("export", "pictures", "--out", str(tmp_path / "out"), home=home)


def test_a_second_fit_of_a_name_is_a_study_of_its_own(study, home, pictures):
    request = AutoML(name="pictures", home=home, deployment=Deployment(max_latency_ms=1e-5), progress=False)
    with pytest.warns(UserWarning, match="this one is called 'pictures-2'"), pytest.raises(LimitError):
        request.fit(*pictures, folds=0)
    assert study.status == "ended" and not (home / "studies" / "pictures-2").exists()
    lost = home / "studies" / "lost"
    (lost / "trials" / "00000").mkdir(parents=True)
    with pytest.raises(StudyError, match="lepton repair lost"):
        AutoML(name="lost", home=home, progress=False).fit(*pictures)
    shutil.rmtree(lost)


def test_an_impossible_limit_leaves_no_study(home, pictures):
    with pytest.raises(LimitError, match="The fastest network here takes"):
        AutoML(name="hopeless", home=home, deployment=Deployment(max_latency_ms=1e-5), progress=False).fit(*pictures, folds=0)
    assert not (home / "studies" / "hopeless").exists()


@pytest.mark.parametrize("task", [pytest.param("regression", marks=pytest.mark.slow), "binary"])
def test_a_small_table_is_cross_validated_and_predicted_in_its_own_unit(home, task):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(50, 20, 400), "colour": rng.choice(["red", "blue", None], 400)})
    price = 1000 + 30 * frame["size"] + 500 * (frame["colour"] == "red")
    frame["price"] = price if task == "regression" else np.where(price > price.median(), "high", "low")
    study = AutoML(name=task, home=home, family="table", budget=Budget(trials=2), progress=False).fit(frame, target="price")
    assert study.state.settings.data.folds == 5
    rows = frame.drop(columns="price")
    told = study.best().predict(rows)
    one = study.predict(rows.iloc[0].to_dict())
    if task == "regression":
        assert study.front.rmse.min() < 0.5 * price.std()
        assert np.corrcoef(told, price)[0, 1] > 0.9 and abs(one - told[0]) < 1e-2
    else:
        assert study.front.accuracy.max() > 0.85 and one == told[0] and set(told) <= {"high", "low"}
    looks_at_the_folds(study, frame)


def looks_at_the_folds(study, frame):
    """Each row is predicted by a network trained without it, and the test split stays unused."""
    model, data = study.best(), study.data
    reports, epochs = study.state.trial(model.number).reports, study.state.host_benchmark.epochs
    assert [told.epoch for told in reports] == list(range(6 * epochs + 1))  # each once: five folds and all rows
    folds = [told for told in reports if study.state.settings.metric in told.scores]
    assert [told.epoch for told in folds] == [epochs * fold for fold in range(1, 6)]
    assert [told.epoch for told in reports if told.waits] == [0, epochs, 2 * epochs]  # it was compared, and went on
    assert (trial_folder(study.folder, model.number) / "examined-held-out.json").exists()  # for the report
    importance = model.permutation_importance(progress=False)
    assert (importance.split, importance.rows, importance.ranked[0].name) == ("train", 320, "size")
    found = model.analyze_errors(progress=False)
    assert found.split == "held-out" and found.rows == data.train == 320 and study.state.tested is None
    searched = study.state.trial(model.number).result.scores
    assert found.scores == pytest.approx({name: searched[name] for name in found.scores}, rel=1e-3)
    worst = found.worst[0]
    nearest = int(np.abs(frame["size"] - worst.cells["size"]).argmin())
    expected = pytest.approx(worst.truth, rel=1e-4) if data.task == "regression" else worst.truth
    assert frame["price"].iloc[nearest] == expected  # the cells belong to the truth
    with pytest.raises(StudyError, match='split="held-out"'):
        model.analyze_errors(split="validation", progress=False)
    (trial_folder(study.folder, model.number) / "examined-held-out.json").unlink()
    (trial_folder(study.folder, model.number) / HELD_OUT).unlink()
    with pytest.raises(StudyError, match="not stored"):
        model.analyze_errors(progress=False)


def test_delete_asks_for_confirmation_and_removes_everything(study, home):  # the last one here: the study is gone after it
    refused = subprocess.run(
        [sys.executable, "-m", "lepton_automl", "delete", study.name],
        input="n\n",
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LEPTON_HOME": str(home)},
    )
    assert refused.returncode == 1 and "MB" in refused.stdout and study.folder.exists()
    assert "MB freed" in lepton("delete", study.name, "--yes", home=home)
    assert not study.folder.exists()
