"""Small bundles of a table model and an image model, and predict.py in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import onnx
from hypothesis import strategies as st

from lepton_automl.deployment.bundle import write_bundle

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
