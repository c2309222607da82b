"""Registered models: they answer raw rows where this package is not installed, and outlive their study's runs."""

import runpy
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from lepton_automl.errors import BundleError, ConfigError, StudyError
from lepton_automl.tracking.logged import CODE, LIMITS, REQUEST_GUARD
from lepton_automl.tracking.registry import ModelRecord, delete_study, register, tracking_uri
from lepton_automl.tracking.tracker import Tracker
from tests.onnx_texts import PICTURE, TABLE

from .bundles import COLUMNS, ROWS, bundle_of
from .recorded_journals import journal_of, life, runs_of
from .without_package import run_without_package


@pytest.fixture(scope="module")
def table_bundle(tmp_path_factory):
    """A trial's own: whose uid is origin-0."""
    output = {"task": "binary", "classes": ["no", "yes"], "target": "y"}
    return bundle_of(
        tmp_path_factory.mktemp("t") / "bundle", TABLE, {"modality": "table", "columns": COLUMNS}, output, "origin-0"
    )


def test_a_registered_table_model_predicts_raw_rows_anywhere(store_folder, client, table_bundle, tmp_path):
    journal = journal_of(tmp_path, "origin", *life("origin", 0, 0.9, 1.0))
    Tracker(journal, store_folder).catch_up()
    assert register(ModelRecord(bundle=table_bundle, tags={"by": "me"}), "clerk", home=store_folder) == "1"
    ROWS.to_pickle(tmp_path / "rows.pkl")
    result = run_without_package(store_folder, f"""
        import json, pandas as pd
        model = mlflow.pyfunc.load_model("models:/clerk@champion")
        whole = model.predict(pd.read_pickle({str(tmp_path / "rows.pkl")!r}))
        one = model.predict({{"age": 80, "paid": True, "city": "Bern"}})
        try:
            model.predict(pd.DataFrame([{{"age": 1}}]))
        except Exception as error:
            lacking = str(error)
        assert not {{"torch", "lepton_automl"}} & set(sys.modules)
        print(json.dumps([whole.to_dict("list"), one.to_dict("list"), lacking]))
    """)  # fmt: skip
    whole, one, lacking = result
    assert list(whole) == ["prediction", "probability_no", "probability_yes"]
    assert whole["prediction"] == ["no", "yes", "yes"] and one["prediction"] == ["no"]
    assert np.allclose(np.add(whole["probability_no"], whole["probability_yes"]), 1) and "paid" in lacking
    version = client.get_model_version_by_alias("clerk", "champion")
    _, trials = runs_of(client, "origin")
    assert version.run_id == trials[0].info.run_id and version.tags["score"] == "0.9" and version.tags["by"] == "me"
    assert not (version.description or "").startswith("#")  # MLflow's list of versions shows the first line as it is
    logged = client.get_logged_model(trials[0].outputs.model_outputs[0].model_id)
    assert {metric.key: metric.value for metric in logged.metrics}["latency_ms.p50"] == 1.0


def test_a_long_table_is_answered_and_refused_as_its_rows_are(table_bundle):
    code = runpy.run_path(str(CODE))
    model = code["BundleModel"]()
    artifacts = {"bundle": str(table_bundle), "request_guard": str(REQUEST_GUARD)}
    model.load_context(SimpleNamespace(model_config={**LIMITS, "threads": 1}, artifacts=artifacts))
    table = pd.concat([ROWS] * 20, ignore_index=True)
    whole = model.predict(None, table)
    alone = pd.concat([model.predict(None, table.iloc[[n]]) for n in range(3)] * 20, ignore_index=True)
    assert len(table) > code["FEW_ROWS"] and whole.equals(alone)
    for wrong, message in ((table.drop(columns="paid"), "paid"), (table.assign(age=[[1]] * 60), "'age' holds a list")):
        for rows in (wrong, wrong.head(1)):
            with pytest.raises(MlflowException, match=message) as refused:
                model.predict(None, rows)
            assert refused.value.error_code == "BAD_REQUEST"


def test_the_alias_moves_on_and_nothing_is_pickled(store_folder, client, tmp_path):
    given, output = {"modality": "table", "columns": COLUMNS}, {"task": "binary", "classes": [False, True], "target": "y"}
    stray = bundle_of(tmp_path / "bundle", TABLE, given, output)
    first = register(stray, "mover.2", home=store_folder)
    other = bundle_of(tmp_path / "other", TABLE, given, {**output, "target": "z"})
    second = register(other, "mover.2", home=store_folder)
    assert (first, second) == ("1", "2") and str(client.get_model_version_by_alias("mover.2", "champion").version) == "2"
    files = [path.name for path in (store_folder / "artifacts" / "_models").rglob("*") if path.is_file()]
    assert "predict.py" in files and "requirements.txt" in files and not [name for name in files if "pkl" in name]
    with pytest.raises(ConfigError, match=r"'a/b' is not a valid model name[\s\S]*'v1' is not a valid alias"):
        register(stray, "a/b", home=store_folder, alias="v1")
    with pytest.raises(StudyError, match="MLflow cannot be written"):
        register(stray, "mover.2", home=stray / "model.onnx")
    with pytest.raises(BundleError, match=r"there is no model\.onnx"):
        register(store_folder, "mover.2", home=store_folder)


def test_a_registered_image_model_accepts_arrays_like_the_training_data(store_folder, tmp_path):
    given = {"modality": "image", "shape": [1, 8, 8], "levels": [0.0, 16.0]}
    bundle = bundle_of(tmp_path / "bundle", PICTURE, given, {"task": "regression", "classes": [], "target": "ink"})
    register(bundle, "eye", home=store_folder)
    result = run_without_package(store_folder, """
        import json, numpy as np
        model = mlflow.pyfunc.load_model("models:/eye@champion")
        print(json.dumps([model.predict({"image": np.full((n, 8, 8), 16.0)})["prediction"].tolist() for n in (1, 3)]))
    """)  # fmt: skip
    assert result == [[255.0], [255.0] * 3]


def test_a_deleted_study_leaves_its_name_and_its_registered_models(store_folder, client, tmp_path):
    output = {"task": "regression", "classes": [], "target": "ink"}
    bundle = bundle_of(
        tmp_path / "bundle", PICTURE, {"modality": "image", "shape": [1, 8, 8], "levels": None}, output, "gone-0"
    )
    journal = journal_of(tmp_path, "gone", *life("gone", 0, 0.9, 1.0))
    Tracker(journal, store_folder).catch_up()
    delete_study("gone", home=store_folder)
    assert client.get_experiment_by_name("lepton/gone") is None and not (store_folder / "artifacts" / "gone").exists()
    Tracker(journal, store_folder).catch_up()
    register(bundle, "stays", home=store_folder)
    delete_study("gone", home=store_folder)
    assert client.search_runs([client.get_experiment_by_name("lepton/gone").experiment_id]) == []
    place = client.get_model_version_download_uri("stays", "1")
    assert list(mlflow.artifacts.list_artifacts(place, tracking_uri=tracking_uri(store_folder)))
    delete_study("gone", home=store_folder)
    delete_study("never", home=store_folder)
    delete_study("never", home=tmp_path / "empty")
