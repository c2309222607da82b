"""A real server in a process of its own: predictions, ids, roles, limits, and what it says."""

import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from lepton_automl.deployment.predictor import Predictor
from lepton_automl.serving.keys import ROLES, KeyFile

from .models import ROW, Server, clerk, eye, until

pytest.importorskip("httptools", reason="the extra serve is not installed")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return clerk(folder / "clerk"), eye(folder / "eye")


@pytest.fixture(scope="module")
def server(bundles, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, *bundles) as running:
        yield running
        assert running.end() == 0
        assert "Traceback" not in running.errors.read_text()


@pytest.fixture(scope="module")
def guarded(bundles, tmp_path_factory):
    """A server that needs keys, and the keys by their role."""
    folder = tmp_path_factory.mktemp("guarded")
    file = KeyFile(folder / "state")
    keys = {role: file.add(role, [role]) for role in ROLES}
    keys["slow"] = file.add("slow", ["predict"], rate=0.01, burst=2)
    with Server(folder, bundles[0], require_key=True) as running:
        yield running, keys


def test_every_form_has_the_answer_of_the_bundle(server, bundles):
    label = Predictor(bundles[0]).table([ROW])
    expected = {name: values[0] for name, values in label.items()}
    split = {"columns": list(ROW), "data": [list(ROW.values())]}
    assert server.predict(ROW) == [expected]
    for body in ({"dataframe_split": split}, {"instances": [ROW]}, {"inputs": {name: [cell] for name, cell in ROW.items()}}):
        for path in ("/invocations", "/models/clerk/invocations", "/models/clerk/versions/1/invocations"):
            assert server.ask("POST", path, body)[2]["predictions"] == [expected]
    csv = b"age,paid,city\r\n80,True,Bern\r\n"
    assert server.ask("POST", "/invocations", csv, "text/csv")[2]["predictions"] == [expected]
    sets = server.ask("POST", "/invocations", {"instances": [ROW], "params": {"coverage": 0.5}})[2]["predictions"]
    assert sets == [{**expected, "prediction_set": [expected["prediction"]]}]


def test_many_rows_are_answered_as_each_alone(server):
    rows = [{**ROW, "age": age, "city": city} for age in range(100) for city in ("Bern", "Rome", None)]
    assert server.predict(*rows)[::17] == [server.predict(row)[0] for row in rows[::17]]


def test_requests_at_the_same_time_have_the_answers_of_each_alone(server):
    rows = [{**ROW, "age": age} for age in range(60)]
    alone = [server.predict(row) for row in rows]
    with ThreadPoolExecutor(12) as pool:
        for _ in range(5):
            assert list(pool.map(server.predict, rows)) == alone


def test_the_open_inference_protocol(server):
    inputs = [
        {"name": "age", "shape": [2], "datatype": "FP64", "data": [80, 20]},
        {"name": "paid", "shape": [2, 1], "datatype": "BOOL", "data": [True, None]},
        {"name": "city", "shape": [2], "datatype": "BYTES", "data": ["Bern", None]},
    ]
    expected = server.predict(ROW, {"age": 20, "paid": None, "city": None})
    status, headers, answer = server.ask("POST", "/v2/models/clerk/infer", {"id": "mine", "inputs": inputs})
    assert status == 200 and answer["id"] == "mine" and (answer["model_name"], answer["model_version"]) == ("clerk", "1")
    assert answer["parameters"]["prediction_id"] == headers["x-prediction-id"]
    columns = {one["name"]: one["data"] for one in answer["outputs"]}
    assert [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] == expected
    kinds = [(one["datatype"], one["shape"]) for one in answer["outputs"]]
    assert kinds == [("BYTES", [2]), ("FP64", [2]), ("FP64", [2])]
    body = {"inputs": inputs, "outputs": [{"name": "prediction"}], "parameters": {"coverage": 0.5}}
    _, headers, answer = server.ask("POST", "/v2/models/clerk/versions/1/infer", body)
    assert answer["id"] == headers["x-prediction-id"] and [one["name"] for one in answer["outputs"]] == ["prediction"]
    status, _, about = server.ask("GET", "/v2/models/clerk")
    assert about["versions"] == ["1"] and [one["datatype"] for one in about["inputs"]] == ["FP64", "FP64", "BYTES"]
    assert [server.ask("GET", path)[0] for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/clerk/ready")] == [
        200
    ] * 3
    for path, word in [
        ("/v2/models/clark/infer", "Did you mean 'clerk'"),
        ("/v2/models/clerk/versions/7/infer", "Versions: 1"),
    ]:
        status, _, answer = server.ask("POST", path, {"inputs": inputs})
        assert status == 404 and word in answer["error"]


def test_pictures_are_served_by_their_own_preprocessing(server):
    pixels = [[255 * (row < 4) for _ in range(8)] for row in range(8)]
    plain = server.ask("POST", "/models/eye/invocations", {"inputs": {"image": [pixels, pixels]}})[2]["predictions"]
    tensor = {"name": "image", "shape": [2, 8, 8], "datatype": "UINT8", "data": [pixels, pixels]}
    outputs = server.ask("POST", "/v2/models/eye/infer", {"inputs": [tensor]})[2]["outputs"]
    assert outputs[0]["data"] == [one["prediction"] for one in plain]


def test_feedback_names_an_id_of_the_same_caller_once(server):
    _, headers, _ = server.ask("POST", "/invocations", {"instances": [ROW, ROW]})
    body = {"id": headers["x-prediction-id"], "truth": "yes"}
    assert server.ask("POST", "/feedback", body)[2]["accepted"] == 1
    status, _, answer = server.ask("POST", "/feedback", body)
    assert status == 400 and "already" in answer["error"]
    several = {"feedback": [{**body, "row": 1}, {**body, "row": 2}, {**body, "id": "A" * 43}, {**body, "row": -1}, 7]}
    results = server.ask("POST", "/feedback", several)[2]["results"]
    assert [one["accepted"] for one in results] == [True, False, False, False, False]
    assert "has 2 rows" in results[1]["problem"] and "not issued to this key" in results[2]["problem"]


def test_what_is_missing_is_said(server):
    status, _, answer = server.ask("POST", "/explain", {"instances": [ROW]})
    assert status == 501 and "explains no predictions" in answer["error"]
    assert server.ask("GET", "/nothing")[0] == 404 and server.ask("GET", "/invocations")[0] == 405
    assert server.ask("OPTIONS", "/invocations", Origin="http://evil.example")[0] == 405  # no other site may ask by a browser
    status, _, answer = server.ask("POST", "/invocations", b"{}", "application/json", Content_Encoding="gzip")
    assert status == 415 and "compressed" in answer["error"]
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:5001", "127.evil.example", ""):
        status, _, answer = server.ask("POST", "/invocations", {"instances": [ROW]}, Host=host)
        assert status == 403 and "only this machine" in answer["error"]
    for host in ("localhost", "LOCALHOST:5001", "127.0.0.1:80", "[::1]:5001", "[::1]"):
        assert server.ask("POST", "/invocations", {"instances": [ROW]}, Host=host)[0] == 200
    status, _, answer = server.ask("PUT", "/models/clerk/champion", {"version": "1"})
    assert status == 403 and "the role admin" in answer["error"]


def test_the_pages_describe_all_endpoints_and_load_nothing(server):
    _, headers, described = server.ask("GET", "/openapi.json")
    assert described["openapi"].startswith("3.1") and "/v2/models/{model}/infer" in described["paths"]
    assert "access-control-allow-origin" not in {name.lower() for name in headers}
    row = described["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert server.ask("POST", "/invocations", row)[0] == 200
    page = server.ask("GET", "/docs")[2]
    assert not re.search(r"<script|<link|src=|href=|url\(|@import", page) and "/invocations" in page
    counted = server.ask("GET", "/metrics")[2]
    assert 'lepton_request_seconds_count{model="clerk",version="1"}' in counted and "process_resident_memory_bytes" in counted


def test_keys_have_roles(guarded):
    server, keys = guarded
    asked = {
        "predict": ("POST", "/invocations", {"instances": [ROW]}),
        "feedback": ("POST", "/feedback", {"id": "x", "truth": 1}),
        "read": ("GET", "/metrics", None),
        "admin": ("PUT", "/models/clerk/champion", {"version": "1"}),
    }
    expected = {"predict": 200, "feedback": 400, "read": 200, "admin": 200}
    for needed, (method, path, body) in asked.items():
        for role in ROLES:
            status, _, answer = server.ask(method, path, body, Authorization=f"Bearer {keys[role]}")
            assert status == (expected[needed] if role == needed else 403), (needed, role, answer)
        for wrong in ({}, {"Authorization": "Bearer lepton_x"}, {"Authorization": f"Basic {keys[needed]}"}):
            status, headers, _ = server.ask(method, path, body, **wrong)
            assert status == 401 and headers["www-authenticate"] == "Bearer"
    assert server.ask("GET", "/health")[0] == 200 and server.ask("GET", "/health/details")[0] == 401
    assert server.ask("GET", "/v2/health/ready")[0] == 200 and server.ask("GET", "/v2/models/clerk/ready")[0] == 401
    assert server.ask("GET", "/openapi.json")[0] == 401 and server.ask("GET", "/docs")[0] == 401
    assert server.ask("POST", f"/invocations?key={keys['predict']}", {"instances": [ROW]})[0] == 401  # in headers only


def test_keys_have_rates(guarded):
    server, keys = guarded
    answers = [
        server.ask("POST", "/invocations", {"instances": [ROW]}, Authorization=f"Bearer {keys['slow']}") for _ in range(3)
    ]
    assert [status for status, *_ in answers] == [200, 200, 429] and int(answers[2][1]["retry-after"]) > 50


def test_an_id_belongs_to_the_key_that_asked(guarded):
    server, keys = guarded
    both = KeyFile(server.state).add("both", ["predict", "feedback"])
    until(lambda: server.ask("POST", "/feedback", {}, Authorization=f"Bearer {both}")[0] != 401)
    named = {"Authorization": f"Bearer {both}"}
    _, headers, _ = server.ask("POST", "/invocations", {"instances": [ROW]}, **named)
    body = {"id": headers["x-prediction-id"], "truth": "yes"}
    assert server.ask("POST", "/feedback", body, Authorization=f"Bearer {keys['feedback']}")[0] == 400
    assert server.ask("POST", "/feedback", body, **named)[2]["accepted"] == 1


def test_the_first_key_is_shown_once(bundles, tmp_path):
    with Server(tmp_path, bundles[0], require_key=True) as server:
        key = re.search(r"lepton_\S{43}", server.said[0])[0]
        assert server.predict(ROW, Authorization=f"Bearer {key}")
        server.end()
    with Server(tmp_path, bundles[0], require_key=True) as server:
        assert len(server.said) == 1 and server.predict(ROW, Authorization=f"Bearer {key}")
        assert server.end() == 0
    (first, second) = server.logged()
    assert first["rows"] == second["rows"] == [ROW] and first["model"] == "clerk" and first["caller"] == second["caller"]
    assert first["answers"] == Predictor(bundles[0]).table([ROW]) and first["id"] != second["id"] and 0 < first["seconds"] < 1


def test_sizes_are_checked_before_the_body_is_read(guarded):
    server, keys = guarded
    for key, status in ((keys["predict"], 413), (keys["read"], 403), ("lepton_x", 401)):
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        line.putrequest("POST", "/invocations")
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(1 << 40),
            "Authorization": f"Bearer {key}",
        }.items():
            line.putheader(name, value)
        line.endheaders()
        answer = line.getresponse()  # nothing of the body was sent
        assert answer.status == status and json.loads(answer.read())["error"]
        line.close()
    assert server.ask("GET", "/health", X_Long="a" * 20_000)[0] == 431
