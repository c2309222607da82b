"""Small bundles of a table model and an image model."""

import pandas as pd
import pytest

from lepton_automl.deployment.bundle import write_bundle

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
