"""Small bundles of a table model and an image model."""

import pandas as pd
import pytest

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
    {"kind": "number", "name": "paid", "knots": [0.0, 1.0], "middle": 0.5, "spread": 1.0, "flag": False, "tokens": []},
    {"kind": "category", "name": "city", "categories": ["Bern", "Rome"]},
]
ROWS = pd.DataFrame({"age": [80, 20, 30], "paid": [True, False, None], "city": pd.Categorical(["Bern", "Rome", None])})


def bundle_of(folder, model, given, output, uid=""):
    onnx = pytest.importorskip("onnx")
    content = onnx.parser.parse_model(model).SerializeToString()
    write_bundle(
        folder, model=content, weights=b"", recipe={}, preprocess={"input": given, "output": output}, provenance={"uid": uid}, card="# A model"
    )  # fmt: skip
    return folder
