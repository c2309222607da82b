"""Inputs of every kind: a bundle answers them, or refuses them in an error for people."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lepton_automl.deployment.command import answer_lines
from lepton_automl.deployment.predictor import Predictor
from lepton_automl.errors import ConfigError, InputError
from lepton_automl.example_files import read_examples
from tests.onnx_texts import PICTURE

from .bundles import PICTURES, ROW, ROWS, json_values, run, write

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


@pytest.mark.filterwarnings("ignore")  # NumPy's, about the conversion
@hostile
@given(raw=odd)
def test_any_input_is_predicted_or_refused(raw, opened):
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
                answer_lines(predictor, read_examples(named, predictor.preprocess))


def test_rows_and_arrays_are_accepted_in_every_form(table, picture, tmp_path):
    expected = Predictor(table).predict([ROW, ROW]).tolist()
    header = ",".join(ROW) + "\n"
    (tmp_path / "rows.csv").write_text(header + 2 * (",".join(map(str, ROW.values())) + "\n"))
    (tmp_path / "rows.json").write_text(json.dumps([ROW, ROW]))
    np.save(tmp_path / "rows.npy", np.array([list(ROW.values())] * 2))
    sources = [tmp_path / name for name in ("rows.csv", "rows.json", "rows.npy")] + [json.dumps([ROW, ROW])]
    result = run(table, *sources)
    assert result.stdout.split() == expected * 4, result.stderr
    grey = np.full((8, 8), 7, np.uint8)
    np.save(tmp_path / "one.npy", grey)
    np.save(tmp_path / "many.npy", np.stack([grey, grey + 1]))
    (tmp_path / "one.json").write_text(json.dumps(grey.tolist()))
    result = run(picture, *(tmp_path / name for name in ("one.npy", "many.npy", "one.json")))
    assert [float(line) for line in result.stdout.split()] == [7, 7, 8, 7], result.stderr


def test_one_python_function_predicts(table, picture, tmp_path):
    np.save(tmp_path / "rows.npy", np.array([list(ROW.values())] * 2))
    code = "import sys; sys.path.insert(0, sys.argv[1]); from predict import predict; import json; "
    code += f"print(predict({ROW!r}), *predict([{ROW!r}]), *predict({str(tmp_path / 'rows.npy')!r}))"
    result = subprocess.run([sys.executable, "-B", "-c", code, str(table)], capture_output=True, text=True, check=False)
    assert result.stdout == "no no no no\n", result.stderr


def test_sets_and_intervals_come_from_python_and_from_the_command_line(tmp_path):
    fitted = {"temperature": 2.0, "regions": {"rows": 12, "levels": [0.5, 0.9], "quantiles": [-0.6, -0.01]}}
    rows = write(tmp_path / "rows", told={**ROWS, "output": {**ROWS["output"], "decoder": fitted}})
    predictor = Predictor(rows)
    assert predictor.predict(ROW, coverage=0.9) == ["no", "yes"] and predictor.predict(ROW, coverage=0.5) == ["no"]
    assert predictor.predict([ROW, ROW], coverage=0.5).tolist() == [["no"], ["no"]]
    plain = Predictor(write(tmp_path / "plain")).predict_proba(ROW)
    assert predictor.predict_proba(ROW) == pytest.approx(np.sqrt(plain) / np.sqrt(plain).sum(), rel=1e-5)
    table = predictor.table([ROW], coverage=0.5)
    assert table["prediction_set"] == [["no"]] and table["probability_no"] == [predictor.predict_proba(ROW)[0]]
    assert run(rows, json.dumps(ROW), "--coverage", "0.9").stdout == '["no", "yes"]\n'
    refused = run(rows, json.dumps(ROW), "--coverage", "0.95")
    assert refused.returncode == 1 and "takes at least 19 validation rows, and this model has 12" in refused.stderr
    assert "Give at most 0.9" in refused.stderr
    assert "both proba and coverage" in run(rows, json.dumps(ROW), "--coverage", "0.9", "--proba").stderr
    regions = {"regions": {"rows": 20, "levels": [0.9], "quantiles": [1.5]}}
    grey = write(tmp_path / "grey", PICTURE, {**PICTURES, "output": {**PICTURES["output"], "decoder": regions}})
    pixels = np.full((8, 8), 7, np.uint8)
    assert Predictor(grey).predict(pixels, coverage=0.9) == [5.5, 8.5]
    assert Predictor(grey).predict([pixels, pixels], coverage=0.9).tolist() == [[5.5, 8.5]] * 2
    assert Predictor(grey).table(pixels, coverage=0.9) == {"prediction": [7.0], "low": [5.5], "high": [8.5]}
    assert answer_lines(Predictor(grey), pixels, coverage=0.9) == ["[5.5, 8.5]"]
    assert answer_lines(Predictor(grey), [pixels, pixels], coverage=0.9) == ["[5.5, 8.5]"] * 2
    with pytest.raises(ConfigError, match="no prediction regions"):
        Predictor(write(tmp_path / "without")).predict(ROW, coverage=0.9)


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
    result = run(table, tmp_path / "rows.csv")
    assert said in result.stderr and result.returncode == 1 and "Traceback" not in result.stderr


def test_a_row_with_too_few_cells_is_read_as_in_training_with_a_warning(table, tmp_path):
    (tmp_path / "rows.csv").write_text("age,when,city\n80\n")
    result = run(table, tmp_path / "rows.csv")
    assert result.stdout == "no\n" and "1 rows have fewer cells than the 3 columns, the first in line 2" in result.stderr


def test_a_wrong_argument_is_named(table, picture, tmp_path):
    assert "integer from 1" in run(table, json.dumps(ROW), "--threads", "0").stderr
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
        result = run(picture, file)
        assert result.returncode == 1 and "x.npy" in result.stderr and "Traceback" not in result.stderr


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


def test_missing_pillow_is_named(picture, tmp_path):
    pytest.importorskip("PIL.Image").new("L", (8, 8)).save(tmp_path / "a.png")
    result = run(picture, tmp_path / "a.png")
    assert result.returncode == 1 and "a.png' needs Pillow" in result.stderr and "pip install pillow" in result.stderr
    np.save(tmp_path / "large.npy", np.zeros((9, 9), np.uint8))
    assert "needs Pillow" in run(picture, tmp_path / "large.npy").stderr
