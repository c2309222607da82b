"""Bundles in hostile hands: signatures, damage, and inputs of every kind end in an error for people, or in an answer."""

from __future__ import annotations

import ast
import builtins
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from contextlib import suppress

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto, helper

from lepton_automl import load_model, preprocess
from lepton_automl.deployment.bundle import add_file, check_bundle, predict_source, write_bundle
from lepton_automl.deployment.command import answer_lines, read_examples
from lepton_automl.deployment.container import containerfile, requirements
from lepton_automl.deployment.external import refuse_external
from lepton_automl.deployment.integrity import is_plain
from lepton_automl.deployment.predictor import Predictor
from lepton_automl.deployment.signing import private_key, sign_bundle
from lepton_automl.errors import BundleError, ConfigError, ExtraError
from lepton_automl.preprocess import InputError

TABLE = """<ir_version: 8, opset_import: ["": 17]>
answers (float[N,F] numeric, int64[N,1] categorical) => (float[N,2] answer)
<float[1,2] w = {3, -3}, float[3,2] e = {0, 0, 3, 0, 0, 3}, int64[1] axis = {1}>
{ m = ReduceMean<axes=[1]>(numeric)  a = MatMul(m, w)  g = Gather(e, categorical)  s = Squeeze(g, axis)  b = Add(a, s)  answer = Softmax<axis=1>(b) }"""
PICTURE = """<ir_version: 8, opset_import: ["": 17]>
answers (uint8[N,1,8,8] image) => (float[N] answer)
{ a = Cast<to=1>(image)  b = Flatten(a)  answer = ReduceMean<axes=[1], keepdims=0>(b) }"""
COLUMNS = [
    {"kind": "number", "name": "age", "knots": [0.0, 50.0, 100.0], "middle": 50.0, "spread": 25.0, "flag": False, "tokens": []},
    {"kind": "time", "name": "when", "knots": [0.0, 1.0], "cycles": ["year"], "flag": False},
    {"kind": "category", "name": "city", "categories": ["Bern", "Rome"]},
]
ROW = {"age": 80, "when": "2026-11-21", "city": "Bern"}
ROWS = {
    "input": {"modality": "table", "columns": COLUMNS},
    "output": {"task": "binary", "classes": ["no", "yes"], "target": "y"},
}
PICTURES = {
    "input": {"modality": "image", "shape": [1, 8, 8], "levels": None},
    "output": {"task": "regression", "classes": [], "target": "grey"},
}


def write(folder, model=TABLE, told=ROWS, **more):
    content = onnx.parser.parse_model(model).SerializeToString() if isinstance(model, str) else model
    write_bundle(folder, model=content, weights=b"", recipe={}, preprocess=told, provenance={}, card="# A model", **more)
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write(tmp_path_factory.mktemp("table") / "bundle")


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    return write(tmp_path_factory.mktemp("picture") / "bundle", PICTURE, PICTURES)


@pytest.fixture
def copy(table, tmp_path):
    return shutil.copytree(table, tmp_path / "copy")


def run(folder, *arguments, **changes):
    """predict.py, in a process where neither this package nor Pillow can be imported."""
    wall = "import sys; [sys.modules.__setitem__(name, None) for name in ('lepton_automl', 'torch', 'onnx', 'PIL', *sys.argv.pop().split())]; "
    code = wall + "import runpy; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    command = [sys.executable, "-c", code, folder / "predict.py", *arguments, changes.pop("without", "")]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **changes)


# Signatures


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two pairs as openssl and ssh write them: {name: (private, public)}."""
    folder = tmp_path_factory.mktemp("keys")
    if not (shutil.which("openssl") and shutil.which("ssh-keygen")):
        pytest.skip("needs openssl and ssh-keygen")
    for command in (
        "openssl genpkey -algorithm ed25519 -out pem",
        "openssl pkey -in pem -pubout -out pem.pub",
        "ssh-keygen -q -t ed25519 -N '' -f ssh",
        "ssh-keygen -q -t ed25519 -N secret -f locked",
        "ssh-keygen -q -t rsa -b 2048 -N '' -f rsa -m PEM",
    ):
        subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)
    return {name: (folder / name, folder / f"{name}.pub") for name in ("pem", "ssh", "locked", "rsa")}


@pytest.mark.parametrize("kind", ["pem", "ssh"])
def test_a_signed_bundle_is_known_by_its_key_alone(kind, keys, copy):
    pytest.importorskip("cryptography")
    secret, public = keys[kind]
    with pytest.raises(BundleError, match="not signed"):
        load_model(copy, public_key=public)
    sign_bundle(copy, private_key(secret))
    assert load_model(copy, public_key=public).predict(ROW) == load_model(copy).predict(ROW)
    with pytest.raises(BundleError, match="not of the key"):
        load_model(copy, public_key=keys["ssh" if kind == "pem" else "pem"][1])
    manifest = (copy / "manifest.json").read_bytes()
    (copy / "manifest.json").write_bytes(manifest + b" ")
    load_model(copy)
    with pytest.raises(BundleError, match="not of the key"):
        load_model(copy, public_key=public)
    (copy / "manifest.json").write_bytes(manifest)
    (copy / "manifest.sig").write_bytes(b"short")
    with pytest.raises(BundleError, match="not of the key"):
        load_model(copy, public_key=public)


def test_openssl_checks_the_signature_too(keys, copy):
    pytest.importorskip("cryptography")
    sign_bundle(copy, private_key(keys["pem"][0]))
    check = f"openssl pkeyutl -verify -rawin -pubin -inkey {keys['pem'][1]} -in manifest.json -sigfile manifest.sig"
    assert subprocess.run(check.split(), cwd=copy, capture_output=True, check=False).returncode == 0
    (copy / "manifest.json").write_bytes(b"{}")
    assert subprocess.run(check.split(), cwd=copy, capture_output=True, check=False).returncode != 0


def test_a_change_voids_the_signature(keys, copy):
    pytest.importorskip("cryptography")
    sign_bundle(copy, private_key(keys["pem"][0]))
    add_file(copy, "more.txt", b"x")
    with pytest.raises(BundleError, match="not signed"):
        load_model(copy, public_key=keys["pem"][1])


def test_what_is_no_key_is_said(keys, table, tmp_path):
    pytest.importorskip("cryptography")
    for read in (private_key, lambda path: load_model(table, public_key=path)):
        for path in (tmp_path, tmp_path / "none", table / "model.onnx", *keys["rsa"], *keys["locked"][:1]):
            with pytest.raises(ConfigError, match="key"):
                read(path)
    with pytest.raises(ConfigError, match="no public key"):
        load_model(table, public_key=keys["pem"][0])


def test_predict_py_checks_the_signature_or_says_why_it_cannot(keys, copy):
    pytest.importorskip("cryptography")
    asked = json.dumps(ROW), "--public-key", keys["pem"][1]
    assert "not signed" in run(copy, *asked).stderr
    sign_bundle(copy, private_key(keys["pem"][0]))
    assert run(copy, *asked).stdout == run(copy, json.dumps(ROW)).stdout == "no\n"
    without = run(copy, *asked, without="cryptography")
    assert without.returncode == 1 and "pip install cryptography" in without.stderr and not without.stdout


def test_signing_without_cryptography_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ExtraError, match=r'pip install "lepton-automl\[sign\]"'):
        private_key("key.pem")


# Damage


def seal_again(folder, files):
    """A manifest as a forger writes it."""
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "files": files}))


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "a/../../secret", "..", "C:secret", "a\\b", "", "x" * 5000, "\ud800"]
)
def test_a_manifest_leads_out_of_no_folder(name, copy):
    (copy.parent / "secret").write_text("x")
    seal_again(copy, {**json.loads((copy / "manifest.json").read_text())["files"], name: "0"})
    with pytest.raises(BundleError, match=r"not a file of the bundle|is missing"):
        check_bundle(copy)


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_links_and_pipes_are_no_files_of_a_bundle(name, copy):
    (copy / name).rename(copy.parent / "outside")
    (copy / name).symlink_to(copy.parent / "outside")
    with pytest.raises(BundleError, match="not a file of the bundle"):
        load_model(copy)
    (copy / name).unlink()
    os.mkfifo(copy / name)
    with pytest.raises(BundleError, match="not a file of the bundle"):
        load_model(copy)


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"format": 1e999, "files": {}}',
        b"[" * 100_000,
        b" " * (2 << 20),
        b'{"format": 9, "files": {}}',
    ],
)
def test_a_manifest_may_be_anything(manifest, copy):
    (copy / "manifest.json").write_bytes(manifest)
    with pytest.raises(BundleError, match=r"no readable manifest|of format 9"):
        load_model(copy)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
PATHS = [
    ("input",), ("output",), ("input", "modality"), ("input", "columns"), ("input", "columns", 0), ("input", "columns", 1),
    ("input", "columns", 2), ("input", "columns", 0, "knots"), ("input", "columns", 0, "kind"), ("output", "classes"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # of NumPy, on numbers without end
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), value=json_values)
def test_a_description_may_be_anything(path, value, copy):
    told = json.loads(json.dumps(ROWS))
    place = told
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    add_file(copy, "preprocess.json", json.dumps(told).encode())
    with suppress(BundleError, InputError):
        Predictor(copy).predict(ROW)  # what load_model opens once it was tried in a process of its own


@pytest.mark.parametrize("shape", [[3, 8, 8], [1, 9, 8], [1, 1 << 40, 1 << 40]])
def test_a_model_of_another_shape_is_refused_when_it_is_opened(shape, tmp_path):
    told = {**PICTURES, "input": {**PICTURES["input"], "shape": shape}}
    with pytest.raises(BundleError, match=r"cannot answer|cannot be used"):
        load_model(write(tmp_path / "bundle", PICTURE, told))


def test_a_model_of_other_answers_is_refused_when_it_is_opened(tmp_path):
    told = {**ROWS, "output": {**ROWS["output"], "classes": ["a", "b", "c"]}}
    with pytest.raises(BundleError, match=r"shape \(1, 2\), and its description says \(1, 3\)"):
        load_model(write(tmp_path / "bundle", TABLE, told))


def test_more_files_are_sealed_with_the_rest(tmp_path):
    folder = write(tmp_path / "bundle", files={"extra.json": b"{}"})
    check_bundle(folder)
    (folder / "extra.json").write_bytes(b"{ }")
    with pytest.raises(BundleError, match=r"extra.json was changed"):
        check_bundle(folder)
    for name in ("model.onnx", "manifest.json", "manifest.sig", "../x", "a/b"):
        with pytest.raises(BundleError, match="name of a file"):
            write(tmp_path / "other", files={name: b""})
    assert not (tmp_path / "other").exists()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=8))
def test_a_plain_name_stays_in_its_folder(name):
    assert not is_plain(name) or os.path.normpath(f"/a/b/{name}") == f"/a/b/{name}"


# External data


def outside():
    tensor = TensorProto(name="w", dims=[1], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/hostname")
    return tensor


def model_of(nodes=(), tensors=(), sparse=(), functions=()):
    info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])]
    graph = helper.make_graph(list(nodes), "g", info, info, list(tensors), sparse_initializer=list(sparse))
    return helper.make_model(graph, functions=list(functions))


def sparse_of(values, indices):
    return onnx.SparseTensorProto(values=values, indices=indices, dims=[1])


def inner(tensor):
    return model_of(tensors=[tensor]).graph


INSIDE = helper.make_tensor("i", TensorProto.FLOAT, [2], [1.0, 2.0])
PLACES = {
    "initializer": lambda one: model_of(tensors=[INSIDE, one]),
    "constant": lambda one: model_of([helper.make_node("Constant", [], ["y"], value=one)]),
    "branch": lambda one: model_of([helper.make_node("If", ["x"], ["y"], then_branch=inner(one), else_branch=inner(INSIDE))]),
    "graphs": lambda one: model_of([helper.make_node("Any", ["x"], ["y"], graphs=[inner(one)])]),
    "tensors": lambda one: model_of([helper.make_node("Any", ["x"], ["y"], tensors=[one])]),
    "sparse": lambda one: model_of(sparse=[sparse_of(one, INSIDE)]),
    "indices": lambda one: model_of([helper.make_node("Any", ["x"], ["y"], sparse_value=sparse_of(INSIDE, one))]),
    "sparses": lambda one: model_of([helper.make_node("Any", ["x"], ["y"], values=[sparse_of(INSIDE, one)])]),
    "function": lambda one: model_of(
        functions=[helper.make_function("d", "f", ["x"], ["y"], [helper.make_node("Constant", [], ["y"], value=one)], [])]
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_data_in_another_file_is_found_wherever_a_tensor_can_be(place):
    refuse_external(PLACES[place](INSIDE).SerializeToString())
    with pytest.raises(BundleError, match="another file"):
        refuse_external(PLACES[place](outside()).SerializeToString())


def test_a_bundle_with_data_in_another_file_is_refused(tmp_path):
    with pytest.raises(BundleError, match="another file"):
        load_model(write(tmp_path / "bundle", PLACES["initializer"](outside()).SerializeToString()))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_model_is_a_damaged_model(data):
    content = bytearray(PLACES["branch"](INSIDE).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BundleError):
        refuse_external(bytes(content[: data.draw(st.integers(0, len(content)))]))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_model_or_are_not(content):
    try:
        refuse_external(content)
    except BundleError:
        return
    # What passes, ONNX too reads as no tensor elsewhere, or as no model at all.
    try:
        model = onnx.load_from_string(content)
    except Exception:
        return
    assert not any(tensor.external_data for tensor in model.graph.initializer)


def test_a_graph_in_a_graph_may_be_very_deep():
    message = b""
    for _ in range(3000):  # graph 7 of a model; node 1, attribute 5, graph 6 within
        for field in (6, 5, 1):
            message = bytes([field << 3 | 2]) + _length(len(message)) + message
    refuse_external(b"\x3a" + _length(len(message)) + message)


def _length(value):
    parts = []
    while True:
        parts.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(parts)


# Inputs

cells = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.binary(max_size=3) | st.dates()
odd = st.recursive(
    cells | arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=9)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(
            st.sampled_from(["age", "when", "city", "x"]) | cells.filter(lambda one: one == one), inner, max_size=4
        )
        | st.fixed_dictionaries({"age": inner, "when": inner, "city": inner})
    ),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def opened(table, picture):
    return Predictor(table), Predictor(picture)


hostile = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@pytest.mark.filterwarnings("ignore")  # of NumPy, on what it was asked to convert
@hostile
@given(raw=odd)
def test_any_input_is_answered_or_refused(raw, opened):
    for predictor in opened:
        with suppress(InputError):
            predictor.predict(raw)


@pytest.mark.filterwarnings("ignore")
@hostile
@given(
    source=st.text(max_size=30) | odd.map(str) | json_values.map(json.dumps),
    ending=st.sampled_from(["", ".npy", ".json", ".csv", ".png"]),
)
def test_any_source_is_read_or_refused(source, ending, opened, tmp_path):
    file = tmp_path / f"input{ending}"
    file.write_bytes(source.encode(errors="surrogatepass"))
    for predictor in opened:
        for named in (source, str(file)):
            with suppress(InputError):
                answer_lines(predictor, read_examples(named, predictor.modality))


def test_rows_and_arrays_come_in_by_every_way(table, picture, tmp_path):
    expected = Predictor(table).predict([ROW, ROW]).tolist()
    header = ",".join(ROW) + "\n"
    (tmp_path / "rows.csv").write_text(header + 2 * (",".join(map(str, ROW.values())) + "\n"))
    (tmp_path / "rows.json").write_text(json.dumps([ROW, ROW]))
    np.save(tmp_path / "rows.npy", np.array([list(ROW.values())] * 2))
    sources = [tmp_path / name for name in ("rows.csv", "rows.json", "rows.npy")] + [json.dumps([ROW, ROW])]
    told = run(table, *sources)
    assert told.stdout.split() == expected * 4, told.stderr
    grey = np.full((8, 8), 7, np.uint8)
    np.save(tmp_path / "one.npy", grey)
    np.save(tmp_path / "many.npy", np.stack([grey, grey + 1]))
    (tmp_path / "one.json").write_text(json.dumps(grey.tolist()))
    told = run(picture, *(tmp_path / name for name in ("one.npy", "many.npy", "one.json")))
    assert [float(line) for line in told.stdout.split()] == [7, 7, 8, 7], told.stderr


def test_one_python_function_answers(table, picture, tmp_path):
    np.save(tmp_path / "rows.npy", np.array([list(ROW.values())] * 2))
    code = "import sys; sys.path.insert(0, sys.argv[1]); from predict import predict; import json; "
    code += f"print(predict({ROW!r}), *predict([{ROW!r}]), *predict({str(tmp_path / 'rows.npy')!r}))"
    told = subprocess.run([sys.executable, "-B", "-c", code, str(table)], capture_output=True, text=True, check=False)
    assert told.stdout == "no no no no\n", told.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"age,when,city\n1,2,3,4\n", "line 2 has 4 cells"),
        (b'age,when,city\n"1', "cannot be read"),
        (b"age,when\n1,2026-01-01\n", "columns are missing: city"),
        (b"age,when,city\n\x00,\xff,\n", "cannot be read"),
        (b"age,when,city\n" + b"9" * 200_000 + b",,\n", "cannot be read"),
    ],
)
def test_a_bad_table_is_named(content, said, table, tmp_path):
    (tmp_path / "rows.csv").write_bytes(content)
    told = run(table, tmp_path / "rows.csv")
    assert said in told.stderr and told.returncode == 1 and "Traceback" not in told.stderr


def test_a_row_with_too_few_cells_is_answered_as_in_training_with_a_warning(table, tmp_path):
    (tmp_path / "rows.csv").write_text("age,when,city\n80\n")
    told = run(table, tmp_path / "rows.csv")
    assert told.stdout == "no\n" and "1 rows have fewer cells than the 3 columns, the first in line 2" in told.stderr


def test_a_wrong_argument_is_named(table, picture, tmp_path):
    assert "whole number from 1" in run(table, json.dumps(ROW), "--threads", "0").stderr
    assert "there is no file" in run(table, tmp_path / "none.csv").stderr
    assert "there are no images" in run(picture, tmp_path).stderr


def test_a_hostile_array_file_is_refused(picture, tmp_path):
    file = tmp_path / "x.npy"
    np.save(file, np.array([{}], object), allow_pickle=True)
    for spoil in (
        lambda content: content,  # a pickle
        lambda content: b"PK\x03\x04" + content,
        lambda content: b"\x93NUMPY\x01\x00\x76\x00" + f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({1 << 50},), }}".ljust(118).encode(),
        lambda content: b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
        lambda content: b"",
    ):  # fmt: skip
        file.write_bytes(spoil(file.read_bytes()))
        told = run(picture, file)
        assert told.returncode == 1 and "x.npy" in told.stderr and "Traceback" not in told.stderr


def png(width, height):
    """A PNG of this size, of a few bytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore")  # Pillow's own word on the size
@pytest.mark.parametrize("size", [(9500, 9500), (20_000, 20_000), (1 << 30, 1 << 30)])
def test_an_oversized_image_is_refused_before_it_is_decoded(size, picture, tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("it was decoded"))
    (tmp_path / "bomb.png").write_bytes(png(*size))
    with pytest.raises(InputError, match=r"too large|exceeds limit"):
        Predictor(picture).predict(tmp_path / "bomb.png")
    lazy = image.new("L", (8, 8))
    lazy._size = size
    with pytest.raises(InputError, match="too large"):
        Predictor(picture).predict(lazy)
    if size[0] < 1 << 30:
        with pytest.raises(InputError, match="too large"):
            Predictor(picture).predict(np.broadcast_to(np.uint8(0), size))


def test_a_file_that_would_start_a_program_is_not_decoded(picture, tmp_path):
    pytest.importorskip("PIL.Image").new("L", (8, 8)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")
    with pytest.raises(InputError, match="format EPS"):
        Predictor(picture).predict(tmp_path / "a.png")


def test_pillow_is_named_where_it_is_lacking(picture, tmp_path):
    pytest.importorskip("PIL.Image").new("L", (8, 8)).save(tmp_path / "a.png")
    told = run(picture, tmp_path / "a.png")
    assert told.returncode == 1 and "a.png' needs Pillow" in told.stderr and "pip install pillow" in told.stderr
    np.save(tmp_path / "large.npy", np.zeros((9, 9), np.uint8))
    assert "needs Pillow" in run(picture, tmp_path / "large.npy").stderr


# What lies beside


def test_only_two_packages_are_asked_for(picture):
    asked = [line for line in (picture / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line.split(">")[0] for line in asked] == ["numpy", "onnxruntime"]
    assert "# pillow" in requirements("image") and "pillow" not in requirements("table")


def test_the_container_runs_predict_py_without_rights(picture):
    lines = (picture / "Dockerfile").read_text().splitlines()
    assert "USER 10001" in lines and lines[-1] == 'ENTRYPOINT ["python", "-P", "predict.py"]'
    assert "pillow" in containerfile("image") and "pillow" not in containerfile("table")


def test_no_name_of_predict_py_is_given_twice_or_hides_pythons_own():
    body = ast.parse(predict_source()).body
    named = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        named += [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    assert len(named) == len(set(named)) and not set(named) & set(dir(builtins))
    assert preprocess.InputError.__name__ in named
