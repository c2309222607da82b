"""Small bundles of a table model and an image model, and predict.py in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import onnx
from hypothesis import strategies as st

from lepton_automl.deployment.bundle import write_bundle
from tests.onnx_texts import TABLE

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


def run(folder, *arguments, **changes):
    """predict.py, in a process where neither this package nor Pillow can be imported."""
    wall = "import sys; [sys.modules.__setitem__(name, None) for name in ('lepton_automl', 'torch', 'onnx', 'PIL', *sys.argv.pop().split())]; "
    code = wall + "import runpy; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    command = [sys.executable, "-c", code, folder / "predict.py", *arguments, changes.pop("without", "")]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **changes)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
