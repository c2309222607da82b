"""A network that is built layer by layer as the beginning of a search, and as a run in MLflow."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from lepton_automl import AutoML, Budget, ConfigError, Model
from lepton_automl.models.files import WEIGHTS
from lepton_automl.recipe import recipe_from_json
from lepton_automl.tracking.store import opened_store

DIGITS = load_digits()
X, LABELS = (DIGITS.images[..., None] / 16).astype(np.float32), DIGITS.target


@pytest.fixture
def model():
    model = Model()
    model.add_conv2d(3, 16, activation="relu")
    model.add_pool2d()
    model.add_dense(10, activation="softmax")
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    return model


@pytest.mark.slow
def test_the_first_trial_of_a_search_is_the_network(model, tmp_path):
    automl = AutoML(start=model, budget=Budget(trials=2), home=tmp_path, progress=False)
    study = automl.fit(X, LABELS, wait=True)
    first = recipe_from_json(study.state.trial(0).result.recipe)
    assert first.describe() == "layers: conv 3x3 of 16, dense 10"
    assert study.state.trial(0).proposed.config["model.layers"].startswith("conv2d(width=16 size=3x3 activation=relu) pool2d(")
    assert study.best().score > 0.8 and (study.predict(X[:5]) == LABELS[:5]).mean() > 0.5


@pytest.mark.slow
def test_a_training_is_a_run_in_mlflow(model, tmp_path, monkeypatch):
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(name, raising=False)
    history = model.fit(X[:400], LABELS[:400], epochs=2, validation_data=(X[400:], LABELS[400:]), log=True, progress=False)
    with opened_store(tmp_path) as store:
        client = store.client
        (run,) = client.search_runs([client.get_experiment_by_name("lepton/networks").experiment_id])
        assert run.info.status == "FINISHED" and run.info.run_name == "Model"
        assert run.data.params["optimizer"] == "adam" and run.data.params["layers"].endswith("activation=softmax)")
        logged = client.get_metric_history(run.info.run_id, "val_accuracy")
        assert [point.value for point in logged] == history.history["val_accuracy"]
        assert {file.path for file in client.list_artifacts(run.info.run_id, "network")} >= {f"network/{WEIGHTS}"}
    with pytest.raises(ConfigError):
        model.fit(X, LABELS, log="/" * 600, progress=False)
    assert model.epochs == 2
