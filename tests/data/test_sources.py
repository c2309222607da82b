"""Every accepted input: the same examples in each form are prepared alike and predicted alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lepton_automl.data.open import open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare

from . import inputs

torch.set_num_threads(1)
ROWS, NEW = 60, 12
DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "data.md"


def frame(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {
        "a": rng.normal(size=rows).round(6),
        "b": rng.integers(-50, 50, rows),
        "c": rng.choice(["red", "green", "blue"], rows),
    }
    return pd.DataFrame({**columns, "y": rng.permutation(np.arange(rows) % 2)}).replace({"y": {0: "no", 1: "yes"}})


def arrays(rows: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 3)), rng.permutation(np.arange(rows) % 3)


def pictures(rows: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, 8, 8, 3), np.uint8), rng.permutation(np.arange(rows) % 3)


KINDS = {
    "tables": (inputs.TABLES, frame, "pandas DataFrame", {"target": "y"}),
    "arrays": (inputs.ARRAYS, arrays, "arrays (X, y)", {}),
    "pictures": (inputs.PICTURES, pictures, "arrays (X, y)", {}),
}
CASES = [pytest.param(kind, name, id=f"{kind}: {name}") for kind, (forms, *_) in KINDS.items() for name in forms]


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """For each kind of data: its digest, a model, and the model's probabilities for new examples."""
    found = {}
    for kind, (_, make, _, options) in KINDS.items():
        folder = tmp_path_factory.mktemp(kind)
        data = open_data(make(ROWS, 0), folder / "data", DataOptions(**options))
        model, new = inputs.untrained(data, folder), make(NEW, 1)
        found[kind] = data.spec, model, model.predictor.predict_proba(new if isinstance(new, pd.DataFrame) else new[0])
    return found


@pytest.mark.filterwarnings("ignore:numbers in")  # new examples are drawn anew
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_form_is_prepared_and_predicted_like_every_other(
    kind: str, name: str, references: dict[str, Any], tmp_path: Path
) -> None:
    forms, make, _, options = KINDS[kind]
    spec, model, expected = references[kind]
    prepared = prepare(forms[name](make(ROWS, 0), inputs.made(tmp_path / "fit")), tmp_path / "data", DataOptions(**options))
    assert (prepared.digest, prepared.classes, prepared.train) == (spec.digest, spec.classes, spec.train)
    raw = forms[name](make(NEW, 1), inputs.made(tmp_path / "new"))
    raw = raw[0] if isinstance(raw, tuple) else raw  # (X, y): predictions are asked for X
    raw = [path for path, _ in raw] if name == "list of pairs" else raw
    assert np.array_equal(model.predict_proba(raw), expected)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_separate_test_data_may_have_any_form(kind: str, name: str, tmp_path: Path) -> None:
    forms, make, usual, options = KINDS[kind]
    test = forms[name](make(NEW, 1), inputs.made(tmp_path / "test"))
    train = forms[usual](make(ROWS, 0), inputs.made(tmp_path / "train"))
    spec = prepare(train, tmp_path / "data", DataOptions(**options), test=test)
    assert spec.test == NEW and spec.train + spec.validation == ROWS
