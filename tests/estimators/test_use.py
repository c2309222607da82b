"""The estimators as people use them: in pipelines, searches and other processes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lepton_automl import DataError, LeptonClassifier, LeptonRegressor, StudyError, open_study
from lepton_automl.estimators.rows import paired, training_table
from lepton_automl.estimators.tables import as_rows


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def fitted(iris):
    return LeptonClassifier(trials=2, random_state=0).fit(*iris)


def test_it_predicts_classes_and_probabilities(fitted, iris):
    x, y = iris
    assert fitted.score(x, y) > 0.9 and fitted.classes_.tolist() == [0, 1, 2]
    likely = fitted.predict_proba(x)
    assert likely.shape == (150, 3) and np.allclose(likely.sum(1), 1) and (likely.argmax(1) == fitted.predict(x)).all()


def test_a_seed_decides_everything_if_trials_limit_a_fit(fitted, iris):
    again = clone(fitted).fit(*iris)
    assert np.array_equal(again.predict_proba(iris[0]), fitted.predict_proba(iris[0]))


def test_it_is_pickled_with_its_model(fitted, iris, tmp_path):
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(fitted))
    np.save(tmp_path / "rows.npy", iris[0])
    code = "import pickle, numpy; print(pickle.load(open('model.pickle', 'rb')).predict(numpy.load('rows.npy')).tolist())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(fitted.predict(iris[0]).tolist())


def test_a_fit_leaves_nothing_behind(iris, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path / "home"))
    LeptonClassifier(trials=1).fit(*iris)
    assert list(tmp_path.iterdir()) == []


def test_a_named_fit_keeps_its_study(iris, tmp_path):
    model = LeptonClassifier(trials=2, name="kept", home=tmp_path, random_state=0).fit(*iris)
    assert all(trial.status != "failed" for trial in open_study("kept", tmp_path).state.trials.values())
    assert open_study("kept", tmp_path).best().predict(pd.DataFrame(iris[0], columns=["x0", "x1", "x2", "x3"])) is not None
    assert model.score(*iris) > 0.8


def test_a_dataframe_keeps_its_categories_and_gaps():
    rng = np.random.default_rng(0)
    people = pd.DataFrame({"city": rng.choice(["a", "b", "c"], 300), "target": rng.normal(size=300)})
    people.loc[::9, "target"] = np.nan  # a column may have the name that the search gives its own
    y = np.where(people.city == "a", 3.0, 1.0) + people.target.fillna(0)
    model = LeptonRegressor(trials=1, random_state=0).fit(people, y)
    assert model.score(people, y) > 0.9 and model.feature_names_in_.tolist() == ["city", "target"]


FORMS = {
    "polars": pl.from_pandas,
    "a polars query": lambda frame: pl.from_pandas(frame).lazy(),
    "Arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "Hugging Face": lambda frame: datasets.Dataset.from_pandas(frame, preserve_index=False),
    "a dict of columns": lambda frame: {name: frame[name].tolist() for name in frame},
    "pandas": lambda frame: frame,
}


def test_tables_of_other_libraries_are_rows(iris):
    flowers = pd.DataFrame(iris[0], columns=["a", "b", "c", "d"]).assign(place=np.where(np.arange(150) % 3, "x", "y"))
    for make in FORMS.values():
        pd.testing.assert_frame_equal(as_rows(make(flowers)), flowers)
    model = LeptonClassifier(trials=1, random_state=0).fit(FORMS["polars"](flowers), pl.Series(iris[1]))
    assert model.feature_names_in_.tolist() == [*flowers] and model.score(flowers, iris[1]) > 0.9
    for make in FORMS.values():
        assert np.array_equal(model.predict(make(flowers)), model.predict(flowers))
    assert cross_val_score(model, FORMS["polars"](flowers), iris[1], cv=2).mean() > 0.8


def test_labels_are_a_column_of_any_library(iris):
    columns = [pl.Series(iris[1]), pa.chunked_array([iris[1]]), datasets.Dataset.from_dict({"y": iris[1]})["y"]]
    for labels in columns:
        assert LeptonClassifier(trials=1, random_state=0).fit(iris[0], labels).classes_.tolist() == [0, 1, 2]


def test_what_an_estimator_does_not_take_is_explained(iris):
    with pytest.raises(ValueError, match=r"one-hot rows\. Pass np\.argmax"):
        LeptonClassifier(trials=1).fit(iris[0], np.eye(3)[iris[1]])
    with pytest.raises(ValueError, match=r"several labels"):
        LeptonRegressor(trials=1).fit(iris[0], iris[0][:, :2])
    pictures = datasets.Dataset.from_dict({"image": [b""] * 150}).cast_column("image", datasets.Image())
    with pytest.raises(DataError, match="takes rows of a table"):
        LeptonClassifier(trials=1).fit(pictures, iris[1])


def test_it_works_in_pipelines_and_searches(iris):
    x, y = iris
    steps = make_column_transformer((StandardScaler(), [0, 1, 2]), (OneHotEncoder(handle_unknown="ignore"), [3]))
    pipeline = make_pipeline(steps, LeptonClassifier(trials=1, random_state=0))
    pipeline[0].set_params(sparse_threshold=0)
    assert cross_val_score(pipeline, x, y, cv=2).mean() > 0.8
    grid = GridSearchCV(LeptonClassifier(random_state=0), {"trials": [1, 2]}, cv=2, n_jobs=2).fit(x, y)
    assert grid.best_score_ > 0.8


@pytest.mark.slow
def test_a_fit_keeps_to_its_time(iris):
    LeptonClassifier(trials=1).fit(*iris)  # starts the workers
    began = time.monotonic()
    LeptonClassifier(minutes=0.2).fit(*iris)
    assert time.monotonic() - began < 15


def test_equal_rows_are_one_row_of_more_weight():
    x, y = pd.DataFrame({"x0": [1.0, 2.0, 1.0, np.nan, np.nan]}), np.array(["c0", "c1", "c0", "c1", "c1"], object)
    merged = training_table(x, y, None)
    weighted = training_table(x.iloc[[3, 1, 0]], y[[3, 1, 0]], np.array([2.0, 1.0, 2.0]))
    pd.testing.assert_frame_equal(merged, weighted)
    assert len(merged) == 3 and merged.sample_weight.sum() == pytest.approx(3)
    left = training_table(x, y, np.array([1.0, 1.0, 0.0, 1.0, 0.0]))
    assert "sample_weight" not in left and len(left) == 3


def test_the_row_of_a_class_that_has_only_one_is_learned_and_scored():
    table = training_table(pd.DataFrame({"x0": [1.0, 2.0, 3.0]}), np.array(["c0", "c0", "c1"], object), None)
    both = paired(table)
    assert len(both) == 4 and both.groupby("target").sample_weight.sum().to_dict() == {"c0": 2.0, "c1": 1.0}


def share_of_versicolor(truth, answers):
    assert set(truth) <= {"setosa", "versicolor", "virginica"}
    return float((answers[truth == "versicolor"] == "versicolor").mean())


def test_a_metric_of_the_users_gets_their_labels(iris):
    x, y = iris[0], load_iris().target_names[iris[1]]
    assert LeptonClassifier(trials=1, metric=share_of_versicolor, random_state=0).fit(x, y).score(x, y) > 0.9


def test_a_refit_that_turns_out_worse_leaves_the_twin(iris, monkeypatch):
    def worse(*_):
        raise StudyError("trained on more rows, it has accuracy 0.9 on those added")

    monkeypatch.setattr("lepton_automl.estimators.search.refit_job", worse)
    assert LeptonClassifier(trials=1, random_state=0).fit(*iris).score(*iris) > 0.8


@pytest.mark.slow
def test_fits_in_threads_do_not_disturb_one_another(fitted, iris):
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda _: clone(fitted).fit(*iris).predict_proba(iris[0]), range(2)))
    assert all(np.array_equal(likely, fitted.predict_proba(iris[0])) for likely in both)


@pytest.mark.slow
def test_it_is_calibrated_and_its_columns_are_permuted_by_scikit_learn(iris):
    x, y = iris[0], load_iris().target_names[iris[1]]
    model = CalibratedClassifierCV(LeptonClassifier(trials=1, random_state=0), cv=3).fit(x, y)
    assert model.score(x, y) > 0.9 and np.allclose(model.predict_proba(x).sum(1), 1)
    drops = permutation_importance(LeptonClassifier(trials=1, random_state=0).fit(x, y), x, y, random_state=0).importances_mean
    assert drops.argmax() in {2, 3}  # the petals
