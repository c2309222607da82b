"""Registered models for real: MLflow on SQLite, MLflow's own server, and malformed requests."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks import payloads
from lepton_automl import Registry, StudyError, load_model
from lepton_automl.deployment.bundle import add_file
from lepton_automl.tracking.logged import KEY, LIMITS, ON_FRONT, ModelRecord, log_models
from lepton_automl.tracking.registry import delete_study, promote, register, roll_back, versions
from lepton_automl.tracking.request_guard import FORMS, RefusedError, rows_of
from lepton_automl.tracking.serving import serve_command
from lepton_automl.tracking.store import opened_store
from lepton_automl.tracking.tracker import Tracker
from tests.onnx_texts import PICTURE, TABLE

from .bundles import COLUMNS, bundle_of
from .recorded_journals import journal_of, life

ROW = {"age": 80, "paid": True, "city": "Bern"}
INK = {"task": "regression", "classes": [], "target": "ink"}


REGIONS = {"rows": 12, "levels": [0.5, 0.9], "quantiles": [-0.6, -0.01]}


def clerk(folder, uid="", target="y"):
    output = {"task": "binary", "classes": ["no", "yes"], "target": target, "decoder": {"regions": REGIONS}}
    return bundle_of(folder, TABLE, {"modality": "table", "columns": COLUMNS}, output, uid)


def eye(folder, uid="", side=8, levels=None):
    return bundle_of(folder, PICTURE, {"modality": "image", "shape": [1, side, side], "levels": levels}, INK, uid)


def models_of(store_folder, study):
    with opened_store(store_folder) as store:
        found = store.client.search_logged_models([store.experiment(study)])
        return {model.tags[KEY].partition(":")[0]: model for model in found}


def test_the_front_is_logged_once_and_updated(store_folder, tmp_path):
    journal = journal_of(tmp_path, "front", *life("front", 0, 0.9, 1.0), *life("front", 1, 0.95, 2.0))
    Tracker(journal, store_folder).catch_up()
    records = [ModelRecord(bundle=eye(tmp_path / str(n), f"front-{n}"), tags={"latency_ms": n + 1}) for n in range(2)]
    log_models("front", records, home=store_folder)
    first = models_of(store_folder, "front")
    assert set(first) == {"front-0", "front-1"} and {model.tags[ON_FRONT] for model in first.values()} == {"true"}
    with opened_store(store_folder) as store:
        run = store.client.get_run(first["front-1"].source_run_id)
        assert [one.model_id for one in run.outputs.model_outputs] == [first["front-1"].model_id]
        history = store.client.get_metric_history(run.info.run_id, "accuracy")
        assert len({(one.step, one.value) for one in history}) == len(history), "a figure of the run was written twice"
    assert {metric.key for metric in first["front-1"].metrics} >= {"accuracy", "score", "latency_ms.p50"}

    version = register(records[1], "front", home=store_folder)
    assert register(records[1], "front", home=store_folder) == version, "a model became two versions"
    with opened_store(store_folder) as store:
        parent = store.client.get_run(store.client.get_run(run.info.run_id).data.tags["mlflow.parentRunId"])
        logged = store.client.get_logged_model(first["front-1"].model_id)
    assert [one.model_id for one in parent.outputs.model_outputs] == [logged.model_id], "the study's run shows its model"
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": "front", "version": int(version)}]
    log_models("front", [ModelRecord(bundle=tmp_path / "1", tags={"test_accuracy": 0.5})], home=store_folder)
    later = models_of(store_folder, "front")
    assert {uid: model.model_id for uid, model in later.items()} == {uid: model.model_id for uid, model in first.items()}
    assert later["front-0"].tags[ON_FRONT] == "false" and later["front-1"].tags["test_accuracy"] == "0.5"
    (row,) = versions("front", home=store_folder)
    assert row["test_accuracy"] == 0.5 and row["latency_ms"] == 2.0 and row["aliases"] == "champion"
    with opened_store(store_folder) as store:  # as a user does in MLflow's pages
        store.client.delete_model_version("front", "1")
    log_models("front", [ModelRecord(bundle=tmp_path / "1", tags={"test_accuracy": 0.6})], home=store_folder)
    assert models_of(store_folder, "front")["front-1"].tags["test_accuracy"] == "0.6"
    assert register(records[1], "front", home=store_folder) == "2"
    delete_study("front", home=store_folder)
    assert set(models_of(store_folder, "front")) == {"front-1"}, "what is registered stays, and nothing else"


def test_a_bundle_that_is_registered_runs_nothing_of_its_own(store_folder, tmp_path):
    """A foreign `predict.py` may do anything; MLflow saves it with an input example and must not run it."""
    bundle, mark = clerk(tmp_path / "bundle", "strange-0", target="z"), tmp_path / "ran"
    code = f"open({str(mark)!r}, 'w').close()\n".encode()
    add_file(bundle, "predict.py", (bundle / "predict.py").read_bytes() + code)
    Tracker(journal_of(tmp_path, "strange", *life("strange", 0, 0.9, 1.0)), store_folder).catch_up()
    load_model(bundle)
    log_models("strange", [ModelRecord(bundle=bundle)], home=store_folder)
    assert register(bundle, "strange", home=store_folder) == "1" and set(models_of(store_folder, "strange")) == {"strange-0"}
    assert not mark.exists()


def test_an_alias_passes_on_and_comes_back(store_folder, tmp_path):
    for number in range(3):
        register(clerk(tmp_path / str(number), target=f"y{number}"), "clerk", home=store_folder)
    registry = Registry(store_folder)
    assert roll_back("clerk", home=store_folder) == "2" and registry.roll_back("clerk") == "1"
    with pytest.raises(StudyError, match="no earlier version with the alias champion is known"):
        registry.roll_back("clerk")
    registry.promote("clerk", 3)
    promote("clerk", "2", home=store_folder, alias="challenger")
    table = registry.versions("clerk").set_index("version")
    assert dict(table["aliases"]) == {"3": "champion", "2": "challenger", "1": ""}
    with opened_store(store_folder) as store:  # as a user does in MLflow's pages
        store.client.set_registered_model_alias("clerk", "champion", "2")
        store.client.delete_model_version("clerk", "3")
    assert registry.roll_back("clerk") == "1"
    assert list(registry.compare("clerk", "challenger", "1").columns) == ["2", "1"]
    with pytest.raises(StudyError, match=r"there is no version 9[\s\S]*Available: 2, 1"):
        registry.promote("clerk", 9)
    with pytest.raises(StudyError, match="Did you mean 'clerk'"):
        registry.versions("clark")


# Serving


class Served:
    """A registered model behind MLflow's own server."""

    def __init__(self, name, store_folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command, environment = serve_command(name, home=store_folder, port=self.port)
        environment["MLFLOW_PYFUNC_INFERENCE_CONFIG"] = json.dumps(
            {"max_pixels": 1_000_000, "header_seconds": 4, "body_seconds": 4}
        )
        self.process = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 90
        while not self.alive():
            assert self.process.poll() is None and time.monotonic() < until, "the server did not start"
            time.sleep(0.3)

    def alive(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=5).status == 200
        except OSError:
            return False

    def post(self, body, kind="application/json"):
        headers = {"Content-Type": kind} if kind else {}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return payloads.post(self.port, payloads.Payload("", content, headers.get("Content-Type")))

    def ask(self, body):
        status, told = self.post(body)
        assert status == 200, told
        return json.loads(told)["predictions"]

    def close(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)


@pytest.fixture(scope="module")
def clerk_served(store_folder, tmp_path_factory):
    register(clerk(tmp_path_factory.mktemp("c") / "bundle"), "served clerk", home=store_folder)
    server = Served("served clerk", store_folder)
    yield server
    server.close()


@pytest.fixture(scope="module")
def eye_served(store_folder, tmp_path_factory):
    register(eye(tmp_path_factory.mktemp("e") / "bundle"), "served eye", home=store_folder)
    server = Served("served eye", store_folder)
    yield server
    server.close()


def test_rows_are_predicted_in_every_form_that_mlflow_accepts(clerk_served, store_folder):
    columns = {name: [cell] for name, cell in ROW.items()}
    split = {"columns": list(ROW), "data": [list(ROW.values())]}
    bodies = [
        {"dataframe_records": [ROW]},
        {"dataframe_split": split},
        {"inputs": columns},
        {"inputs": [ROW]},
        {"instances": [ROW]},
    ]
    (expected,) = clerk_served.ask(bodies[0])
    assert expected["prediction"] == "no" and set(expected) == {"prediction", "probability_no", "probability_yes"}
    assert [clerk_served.ask(body) for body in bodies] == [[expected]] * 5
    surer = {**expected, "prediction_set": ["no"]}
    assert [clerk_served.ask({**body, "params": {"coverage": 0.5}}) for body in bodies] == [[surer]] * 5
    for params in ({"coverage": 0.99}, {"coverage": "much"}, [0.9]):
        status, why = clerk_served.post({**bodies[0], "params": params})
        assert status == 400 and b"coverage" in why
    with opened_store(store_folder) as store:
        place = store.client.get_model_version_download_uri("served clerk", "1")
    loaded = mlflow.pyfunc.load_model(place)
    assert loaded.predict(pd.DataFrame([ROW])).to_dict("records") == [expected] == loaded.predict(ROW).to_dict("records")
    with pytest.raises(mlflow.MlflowException, match="takes numbers, not 'old'"):
        loaded.predict({**ROW, "age": "old"})
    assert loaded.predict(pd.DataFrame([ROW]), params={"coverage": 0.5}).to_dict("records") == [surer]
    with pytest.raises(mlflow.MlflowException, match="takes at least 99 validation rows"):
        loaded.predict(ROW, params={"coverage": 0.99})


def test_images_are_predicted_as_files_and_as_pixels(eye_served):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    text = base64.b64encode(file.getvalue()).decode()
    bodies = [
        {"inputs": [text]}, {"inputs": {"image": [text]}}, {"inputs": {"image": text}}, {"instances": [{"image": text}]},
        {"dataframe_records": [{"image": "data:image/png;base64," + text}]},
        {"dataframe_split": {"columns": ["image"], "data": [[pixels.tolist()]]}}, {"inputs": [pixels.tolist()]},
        {"inputs": {"image": [pixels.tolist()]}}, {"instances": [[pixels.tolist()]]}, {"inputs": [[pixels[..., None].tolist()]]},
        {"inputs": {"image": pixels.tolist()}}, {"instances": {"image": [pixels[..., None].tolist()]}},
    ]  # fmt: skip
    told = [eye_served.ask(body) for body in bodies]
    assert told == [[{"prediction": pixels.mean()}]] * len(bodies)
    assert len(eye_served.ask({"inputs": {"image": [pixels.tolist(), pixels[::-1].tolist()]}})) == 2
    assert len(eye_served.ask({"inputs": [text, pixels[::-1].tolist()][:1] * 3})) == 3
    status, why = eye_served.post(payloads.image(payloads.bomb(1001, 1000)))
    assert status == 400 and b"more than 1,000,000 pixels together" in why


def test_no_request_harms_the_server(clerk_served, eye_served, tmp_path):
    secret = tmp_path / "picture.png"
    Image.new("L", (8, 8)).save(secret)
    picture = secret.read_bytes()
    asked = [(clerk_served, one) for one in [*payloads.for_any(ROW), *payloads.for_tables(ROW, "age")]]
    asked += [
        (eye_served, one)
        for one in [*payloads.for_images(picture), payloads.Payload("a real file", payloads.image(str(secret)))]
    ]
    for server, one in asked:
        status, told = server.post(one.body, one.kind)
        assert 400 <= status < 500, f"{one.name}: {status} {told[:300]!r}"
        message = json.loads(told)["message"]
        assert 10 < len(message) < 2000 and "Traceback" not in message, one.name
    assert clerk_served.alive() and eye_served.alive()
    assert clerk_served.ask({"dataframe_records": [ROW]}) and eye_served.ask(json.loads(payloads.image(picture)))


SLOW_HEADERS = b"POST /invocations HTTP/1.1\r\nHost: x\r\nX-A: "
SLOW_BODY = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"
SECOND = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\nGET /pi"  # a whole request, and a part of the next


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "many"), [(b"", 70), (SLOW_HEADERS, 80), (SLOW_BODY, 80), (SECOND, 70)])
def test_slow_and_idle_connections_block_no_one_and_are_closed(clerk_served, sent, many):
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", clerk_served.port), 60)) for _ in range(many)]
        for one in slow:
            one.sendall(sent)
        for _ in range(3):
            assert clerk_served.ask({"dataframe_records": [ROW]})
        for one in slow:
            with contextlib.suppress(ConnectionResetError):
                while one.recv(65536):  # until it is closed; the socket's timeout would fail otherwise
                    pass
    assert clerk_served.ask({"dataframe_records": [ROW]})


LEAVES = st.none() | st.booleans() | st.floats() | st.text(max_size=3)
JSON = st.recursive(LEAVES, lambda one: st.lists(one, max_size=5) | st.dictionaries(st.sampled_from("ab"), one), max_leaves=8)
REQUEST_FILE = st.sampled_from(FORMS).flatmap(lambda form: st.fixed_dictionaries({form: JSON}))


@settings(deadline=None)
@given(st.binary(max_size=20) | (JSON | REQUEST_FILE).map(json.dumps).map(str.encode), st.sampled_from([["image"], ["a", "b"]]))
def test_the_request_guard_finds_rows_or_refuses_with_a_reason(body, columns):
    try:
        rows, params = rows_of(body, columns, 3)
    except RefusedError:
        return
    assert 1 <= len(rows) <= 3 and all(isinstance(row, dict) for row in rows) and isinstance(params, dict)


def test_limits_are_in_the_model_and_openvino_in_its_requirements(store_folder, tmp_path):
    openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed")
    bundle = eye(tmp_path / "bundle", side=4)
    (bundle / "runtime.json").write_text('{"runtime": "openvino"}')
    register(ModelRecord(bundle=bundle, threads=2), "fast", home=store_folder)
    with opened_store(store_folder) as store:
        folder = store.client.get_model_version_download_uri("fast", "1")
    place = mlflow.artifacts.download_artifacts(folder)
    needed = Path(place, "requirements.txt").read_text().split()
    assert f"openvino=={openvino.__version__.split('-')[0]}" in needed and any(one.startswith("pillow==") for one in needed)
    assert not [file for _, _, files in os.walk(place) for file in files if file.endswith((".pkl", ".pickle"))]
    described = Path(place, "MLmodel").read_text()
    assert all(f"{name}: {value}" in described for name, value in {**LIMITS, "threads": 2}.items())


def test_what_serves_is_mlflows_own_command(store_folder):
    command, environment = serve_command("eye", home=store_folder, alias="challenger")
    assert command[:3] == [sys.executable, "-m", "mlflow"] and "models:/eye@challenger" in command
    assert environment["MLFLOW_TRACKING_URI"].startswith("sqlite:///") and "MLFLOW_TRACKING_URI" not in os.environ
