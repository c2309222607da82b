"""Dates taken apart, missing and rare categories, categories known by their targets, and free text."""

from __future__ import annotations

import json
import warnings
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.errors import ConfigError
from lepton_automl.modalities.table.preprocess.rows import TablePreprocess
from lepton_automl.modalities.table.preprocess.times import CYCLES, ORDERS, cycle_waves
from lepton_automl.modalities.table.target_features import level_means
from lepton_automl.shipped import load_preprocess
from lepton_automl.specs import DataSpec

ROWS = 1250  # enough for a validation split
DRAW = np.random.default_rng(0)
FEELINGS = {True: ["good", "lovely"], False: ["bad", "awful"]}
FILLER = ["the", "table", "came", "with", "a", "box", "of", "screws"]
POSITIVE = DRAW.integers(2, size=ROWS).astype(bool)


def prepared(folder: Path, frame: dict[str, Any], **options: Any) -> tuple[DataSpec, TablePreprocess, np.ndarray]:
    spec = prepare(pd.DataFrame(frame), folder, DataOptions(target="y", **options))
    preprocess = load_preprocess(json.loads((folder / "preprocess.json").read_text()))
    assert isinstance(preprocess, TablePreprocess)
    return spec, preprocess, np.load(folder / "rows" / "numeric.npy") if preprocess.features else np.empty(0)


def sentence(positive: bool) -> str:
    words = [*DRAW.choice(FEELINGS[positive], 1), *DRAW.choice(FILLER, 5)]
    return " ".join(DRAW.permutation(words).tolist())


def test_a_date_is_taken_apart(tmp_path):
    start = datetime(2020, 1, 1)
    when = [start + timedelta(hours=int(hour)) for hour in DRAW.integers(0, 3 * 8760, ROWS)]
    written = [moment.strftime("%m/%d/%Y %I:%M %p") for moment in when]
    spec, preprocess, rows = prepared(tmp_path / "d", {"when": written, "y": POSITIVE})
    assert any("the month first" in note for note in spec.notes), "dates of the United States"
    assert "time of year, time of month, time of week, time of day" in " ".join(spec.notes)
    assert preprocess.features[:2] == ["when", "when from its middle"]
    assert rows.shape[1] == 2 + 2 * sum(ORDERS.values()) and spec.input.plain == rows.shape[1] - 1
    weekdays = cycle_waves(np.arange(7.0), {"week": 3})
    assert np.linalg.matrix_rank(np.vstack([weekdays, np.ones(7)])) == 7, "a linear layer tells all weekdays apart"


def test_a_month_is_as_long_as_the_calendar_says():
    days = [(datetime(2024, month, day) - datetime(1970, 1, 1)).days for month, day in ((2, 1), (2, 15), (3, 1), (3, 16))]
    sine, cosine = cycle_waves(np.array([*days, np.nan], np.float64), {"month": 1})
    turns = np.array([0, 14 / 29, 0, 15 / 31])
    assert sine[:4] == pytest.approx(np.sin(2 * np.pi * turns), abs=1e-9) and sine[4] == cosine[4] == 0
    assert cosine[:4] == pytest.approx(np.cos(2 * np.pi * turns), abs=1e-9)
    assert list(CYCLES) == list(ORDERS)


def test_columns_of_an_older_version_are_read():
    old = [
        {"kind": "time", "name": "when", "knots": [0, 9], "cycles": ["week"], "flag": False},
        {"kind": "category", "name": "job", "categories": ["cook"]},
    ]
    data = {"input": {"modality": "table", "columns": old}, "output": {"task": "binary", "target": "y", "classes": [0, 1]}}
    preprocess = TablePreprocess.from_json(data)
    assert preprocess.features == ["when", "when sine of week", "when cosine of week"] and preprocess.cardinalities == (2,)


def test_numbers_far_outside_the_training_range_are_clipped_and_reported(tmp_path):
    frame = {"a": DRAW.random(ROWS), "b": DRAW.random(ROWS), "y": POSITIVE}
    _, preprocess, _ = prepared(tmp_path / "d", frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preprocess.arrays({"a": 1.9, "b": -0.9})
        preprocess.arrays({"a": None, "b": 0.5})
    for rows in ({"a": 255, "b": 0.5}, {"a": [200.0] * 50, "b": [0.5] * 50}):
        again = TablePreprocess.from_json(preprocess.to_json())
        with pytest.warns(
            UserWarning, match=r"1 of 2 numeric columns are far outside.*clipped: 'a' is 2\d\d \(training: \S+ to \S+\)"
        ):
            arrays = again.arrays(rows)
        assert (arrays["numeric"][:, 0] == 1).all() and (np.abs(arrays["numeric"]) <= 3).all()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            again.arrays(rows)  # once


def test_missing_categories_have_a_code_and_rare_ones_are_pooled(tmp_path):
    kinds = np.array(["a", "b", None], object)[DRAW.integers(3, size=ROWS)]
    kinds[:2] = ["once", "too"]
    kinds[2:50:2] = "?"
    _, preprocess, _ = prepared(tmp_path / "d", {"kind": kinds, "y": POSITIVE}, categorical=["kind"], missing=["?"])
    (column,) = preprocess.columns
    assert column.categories == ("a", "b") and preprocess.cardinalities == (4,)
    codes = preprocess.arrays({"kind": ["a", "b", "once", "never seen", None, float("nan"), " ? "]})["categorical"][:, 0]
    assert codes.tolist() == [1, 2, 0, 0, 3, 3, 3]


def test_many_categories_are_known_by_their_targets(tmp_path):
    cities = DRAW.integers(300, size=ROWS)
    good = DRAW.normal(size=300)[cities] + DRAW.normal(size=ROWS) > 0
    texts = [f"city {number}" for number in cities]
    spec, preprocess, rows = prepared(tmp_path / "d", {"city": texts, "y": good})
    (column,) = preprocess.columns
    assert preprocess.features == ["city by target"] and spec.input.plain == 1
    known = preprocess.arrays({"city": texts})["numeric"][:, 0]
    assert np.corrcoef(known, good)[0, 1] > 0.4
    shown = np.load(tmp_path / "d" / "rows" / "targets.npy")[: spec.train]
    own, other = column.encode_many(np.array(texts, object))[0], rows[: spec.train, 0]
    assert np.corrcoef(other, shown)[0, 1] < np.corrcoef(own, good)[0, 1], "no training row sees its own target"
    assert (preprocess.arrays({"city": "nowhere"})["numeric"] == 0).all()


def test_a_level_of_few_rows_is_close_to_the_mean():
    levels = np.array([0] * 200 + [1] * 200 + [2])
    target = np.concatenate([DRAW.normal(0, 1, 200), DRAW.normal(2, 1, 200), [9.0]])
    means, other = level_means(levels, target, 4)
    centered = target - target.mean()
    assert means[1] == pytest.approx(centered[200:400].mean(), rel=0.02) and means[3] == 0
    assert 0 < means[2] < 0.8 * centered[400] and other[400] == 0, "its only row cannot tell it anything"


@pytest.mark.parametrize("folds", [0, 5], ids=["validation split", "cross-validation"])
def test_free_text_becomes_a_few_features(tmp_path, folds):
    texts: list[str | None] = [sentence(positive) for positive in POSITIVE]
    texts[::50] = [None] * len(texts[::50])
    spec, preprocess, rows = prepared(tmp_path / "d", {"comment": texts, "y": POSITIVE}, folds=folds)
    assert any("'comment' is free text" in note for note in spec.notes) and spec.input.columns == (("comment", "text"),)
    assert rows.shape[1] <= 33 and preprocess.features[-1] == "comment is missing"
    answers = preprocess.arrays({"comment": ["this is so good", "simply awful", "unheard", None]})["numeric"]
    if not folds:  # the targets of held-out folds must not be used
        assert answers[0, 0] > 0 > answers[1, 0]
        targets = np.load(tmp_path / "d" / "rows" / "targets.npy")
        assert ((rows[:, 0] > 0) == (targets > 0.5)).mean() > 0.9
    assert (answers[2:, :-1] == 0).all() and answers[2, -1] == -1 and answers[3, -1] == 1


def test_what_free_text_is_can_be_decided(tmp_path):
    names = [f"{FILLER[number % 8]} {number}" for number in range(ROWS)]
    frame = {"name": names, "x": DRAW.normal(size=ROWS), "y": POSITIVE}
    assert any("as in an identifier" in note for note in prepared(tmp_path / "a", frame)[0].notes)
    assert prepared(tmp_path / "b", frame, text=["name"])[0].input.columns[0] == ("name", "text")
    with pytest.raises(ConfigError, match="name cannot be both categorical and text"):
        DataOptions(text="name", categorical=["name"])
