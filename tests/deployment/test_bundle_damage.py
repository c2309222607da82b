"""Damaged and forged bundles end in an error that names the file."""

from __future__ import annotations

import json
import os
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lepton_automl import load_model
from lepton_automl.deployment.bundle import add_file, check_bundle
from lepton_automl.deployment.integrity import is_plain_name
from lepton_automl.deployment.predictor import Predictor
from lepton_automl.errors import BundleError, InputError
from tests.onnx_texts import PICTURE, TABLE

from .bundles import PICTURES, ROW, ROWS, json_values, write


def seal_again(folder, files):
    """A manifest as a forger writes it."""
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "files": files}))


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "a/../../secret", "..", "C:secret", "a\\b", "", "x" * 5000, "\ud800"]
)
def test_a_manifest_cannot_point_outside_its_folder(name, copy):
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


PATHS = [
    ("input",), ("output",), ("input", "modality"), ("input", "columns"), ("input", "columns", 0), ("input", "columns", 1),
    ("input", "columns", 2), ("input", "columns", 0, "knots"), ("input", "columns", 0, "kind"), ("output", "classes"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # of NumPy, on numbers without end
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), value=json_values)
def test_a_description_may_be_anything(path, value, copy):
    content = json.loads(json.dumps(ROWS))
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    add_file(copy, "preprocess.json", json.dumps(content).encode())
    with suppress(BundleError, InputError):
        Predictor(copy).predict(ROW)  # what load_model opens once it was tried in a process of its own


@pytest.mark.parametrize("shape", [[3, 8, 8], [1, 9, 8], [1, 1 << 40, 1 << 40]])
def test_a_model_of_another_shape_is_refused_when_it_is_opened(shape, tmp_path):
    told = {**PICTURES, "input": {**PICTURES["input"], "shape": shape}}
    with pytest.raises(BundleError, match=r"cannot predict|cannot be used"):
        load_model(write(tmp_path / "bundle", PICTURE, told))


def test_a_model_with_other_outputs_is_refused_when_it_is_opened(tmp_path):
    told = {**ROWS, "output": {**ROWS["output"], "classes": ["a", "b", "c"]}}
    with pytest.raises(BundleError, match=r"shape \(1, 2\), and its description says \(1, 3\)"):
        load_model(write(tmp_path / "bundle", TABLE, told))


def test_added_files_are_in_the_manifest_too(tmp_path):
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
    assert not is_plain_name(name) or os.path.normpath(f"/a/b/{name}") == f"/a/b/{name}"
