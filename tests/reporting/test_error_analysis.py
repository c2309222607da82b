"""Error analysis: confusion, calibration, rows in their own units, results that go with their artifact."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from lepton_automl.data.open import open_data
from lepton_automl.error_analysis import ClassScore, ErrorAnalysis, calibration_verdict
from lepton_automl.modalities.table.inverse_transform import original_rows
from lepton_automl.study.result_cache import cached_result, save_result
from lepton_automl.tasks.classification.analysis import calibration, class_scores, confusion

from .hostile_study import numbers_examined


def test_confusion_and_class_scores_by_hand():
    pairs = confusion(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 2]), 3)
    assert pairs == ((0, 0, 1), (1, 0, 1), (1, 1, 2), (2, 1, 1))
    a, b, c = class_scores(pairs, ("a", "b", "c"))
    assert (a.precision, a.recall) == (0.5, 1.0) and (b.precision, b.recall) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert c == ClassScore(label="c", rows=1, answered=0, right=0) and c.precision is None and c.recall == 0


def test_the_calibration_error_by_hand():
    bins, error = calibration(np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, True, True, False]))
    assert [(one.rows, one.right) for one in bins] == [(2, 0.5), (2, 1.0)]
    assert error == pytest.approx((0.05 * 2 + 0.05 * 2) / 4)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = 400
    frame = pd.DataFrame(
        {
            "age": rng.integers(17, 90, rows),
            "income": rng.lognormal(10, 1, rows).round(2),
            "gap": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(0, 1, rows).round(3)),
            "town": rng.choice(["Aix", "Bonn", "Cork"], rows),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), unit="D"),
        }
    )
    return frame.assign(y=np.where(frame.age + 10 * (frame.town == "Bonn") > 50, "yes", "no"))


def test_rows_are_returned_in_their_original_units(table, tmp_path):
    data = open_data(table, tmp_path)
    inputs = {name: part.numpy() for name, part in data.train.inputs.items()}
    back = original_rows(data.preprocess, inputs, list(range(100)))
    again = data.preprocess.arrays(back)
    for name, part in again.items():
        assert np.allclose(part, inputs[name][:100], atol=2e-3)
    known = {(row.age, row.town, row.income) for row in table.itertuples()}
    exact = [row for row in back if any(row["age"] == age and row["town"] == town and row["income"] == pytest.approx(income, rel=1e-4)
             for age, town, income in known)]  # fmt: skip
    assert len(exact) == len(back)
    assert any(row["gap"] is None for row in back) and all(re.match(r"202[0-2]-\d\d-\d\d", row["since"]) for row in back)


def answered(rows, off, seed=0):
    """A model's calibration on so many rows, right more seldom than it is sure by `off`."""
    rng = np.random.default_rng(seed)
    sure = rng.beta(8, 2, rows)
    return calibration_verdict(calibration(sure, rng.random(rows) < sure - off)[0], "validation")


@pytest.mark.parametrize(
    ("rows", "off", "told"),
    [
        (36, 0.0, "too few rows to judge the calibration"),
        (20_000, 0.0, "are calibrated: on 20,000 validation rows"),
        (400, 0.25, "are not calibrated: on 400 validation rows"),
        (20_000, 0.1, "are not calibrated"),
    ],
)
def test_calibration_is_judged_only_with_enough_rows(rows, off, told):
    assert told in answered(rows, off, seed=1)


def test_few_correct_rows_do_not_prove_calibration():
    sure = np.full(36, 0.99)
    assert "too few rows to judge" in calibration_verdict(calibration(sure, np.ones(36, bool))[0], "validation")
    assert "are calibrated" in calibration_verdict(calibration(np.full(900, 0.99), np.arange(900) > 8)[0], "validation")
    assert calibration_verdict((), "validation") == ""


def test_right_probabilities_are_seldom_called_wrong_and_wrong_ones_seldom_right():
    right = [answered(200, 0.0, seed) for seed in range(200)]
    assert sum("are not calibrated:" in told for told in right) <= 10
    wrong = [answered(1_000, 0.08, seed) for seed in range(200)]
    assert sum("are calibrated:" in told for told in wrong) <= 10


def test_cached_results_are_dropped_with_the_artifact(tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "model.onnx").write_bytes(b"one")
    save_result(tmp_path, "examined-validation", numbers_examined())
    assert cached_result(tmp_path, "examined-validation", ErrorAnalysis) == numbers_examined()
    (tmp_path / "bundle" / "model.onnx").write_bytes(b"another")
    assert cached_result(tmp_path, "examined-validation", ErrorAnalysis) is None
