"""Several labels a row: read from lists, texts or columns, scored as scikit-learn does, decoded by thresholds of their own."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn import metrics

from lepton_automl.data.open import open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.errors import ConfigError, DataError
from lepton_automl.metric import values_of
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_named
from lepton_automl.tasks.multilabel import LabelSetOutput
from lepton_automl.tasks.multilabel.decoder import LabelSetDecoder
from lepton_automl.tasks.multilabel.scorers import label_scorers
from lepton_automl.tasks.multilabel.training import best_thresholds

TASK = task_named("multilabel")
LABELS = ("blue", "green", "red")


def rows(count: int = 400) -> pd.DataFrame:
    """Numbers, and the colours that they stand for."""
    numbers = np.random.default_rng(0).normal(size=(count, 3))
    frame = pd.DataFrame(numbers, columns=list("abc"))
    return frame.assign(tags=[[label for label, value in zip(LABELS, row, strict=True) if value > 0.3] for row in numbers])


def test_lists_texts_and_columns_of_zeros_and_ones_are_the_same_labels(tmp_path):
    frame = rows()
    texts = frame.assign(tags=[";".join(tags) or None for tags in frame.tags]).dropna()
    several = frame.drop(columns="tags").assign(**{label: [int(label in tags) for tags in frame.tags] for label in LABELS})
    lists = prepare(frame, tmp_path / "lists", DataOptions(target="tags", folds=0))
    split = prepare(texts, tmp_path / "texts", DataOptions(target="tags", folds=0, task="multilabel"))
    columns = prepare(several, tmp_path / "columns", DataOptions(target=LABELS, folds=0))
    pair = prepare((frame[["a", "b", "c"]], several[list(LABELS)]), tmp_path / "pair", DataOptions(folds=0))
    assert {spec.task for spec in (lists, split, columns, pair)} == {"multilabel"}
    assert {spec.classes for spec in (lists, split, columns, pair)} == {LABELS}
    stored = [np.load(tmp_path / name / "rows" / "targets.npy") for name in ("lists", "columns", "pair")]
    assert np.array_equal(stored[0], stored[1]) and np.array_equal(stored[0], stored[2]) and stored[0].shape[1] == 3
    assert lists.output.counts == tuple(stored[0][: lists.train].sum(0)) and columns.target == "blue, green, red"
    assert DataSpec.from_json(json.loads(json.dumps(lists.to_json()))) == lists


def test_pictures_take_their_labels_from_a_table_beside_them(tmp_path):
    (tmp_path / "pictures").mkdir()
    names, shades = [f"{n}.png" for n in range(60)], np.random.default_rng(1).integers(0, 2, (60, 2))
    for name, (left, right) in zip(names, shades, strict=True):
        pixels = np.zeros((8, 8), np.uint8)
        pixels[:, :4], pixels[:, 4:] = 255 * left, 255 * right
        Image.fromarray(pixels).save(tmp_path / "pictures" / name)
    pd.DataFrame({"file": names, "left": shades[:, 0], "right": shades[:, 1]}).to_csv(tmp_path / "labels.csv", index=False)
    data = open_data(tmp_path, tmp_path / "data", DataOptions(target=("left", "right"), folds=0))
    bright = data.train.inputs["image"].float().mean(2)[:, 0, [0, 7]] > 100
    assert data.spec.classes == ("left", "right") and torch.equal(data.train.targets.bool(), bright)


def test_labels_of_image_arrays_are_named_by_the_columns_of_a_frame(tmp_path):
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (60, 8, 8)).astype(np.uint8), rng.integers(0, 2, (60, 2))
    named = open_data((pixels, pd.DataFrame(labels, columns=["left", "right"])), tmp_path / "a", DataOptions(folds=0))
    plain = open_data((pixels, labels), tmp_path / "b", DataOptions(folds=0, task="multilabel"))
    assert named.spec.classes == ("left", "right") and plain.spec.classes == (0, 1)
    assert torch.equal(named.train.targets, plain.train.targets)


@pytest.mark.parametrize(
    ("cells", "match"),
    [
        (["a", "b"] * 50, "no text holds a separator"),
        ([["a"], 3] * 50, "is a list, not one label"),
        ([["a"], ["b"]] * 49 + [["c"], ["b"]], "a label needs at least 2 examples; too few of: 'c'"),
        ([["a"]] * 100, "there is one label only, 'a'"),
    ],
)
def test_what_is_no_set_of_labels_is_refused(cells, match, tmp_path):
    with pytest.raises(DataError, match=match):
        prepare(rows(100).assign(tags=cells), tmp_path, DataOptions(target="tags", task="multilabel"))


def test_a_separator_asks_for_the_task_and_is_for_no_other(tmp_path):
    frame = rows(100).assign(tags=["a/b", "b"] * 50)
    assert prepare(frame, tmp_path / "a", DataOptions(target="tags", label_separator="/")).classes == ("a", "b")
    with pytest.raises(ConfigError, match="label_separator is for the task 'multilabel'"):
        prepare(frame, tmp_path / "b", DataOptions(target="tags", label_separator="/", task="multiclass"))


def test_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    answers, truth = rng.random((200, 4)), rng.random((200, 4)) > 0.7
    found = values_of(label_scorers([0.5] * 4), answers, truth.astype(np.float32))
    chosen = answers >= 0.5
    assert found["micro_f1"] == pytest.approx(metrics.f1_score(truth, chosen, average="micro"))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(truth, chosen, average="macro"))
    assert found["subset_accuracy"] == pytest.approx(metrics.accuracy_score(truth, chosen))
    assert found["mean_average_precision"] == pytest.approx(metrics.average_precision_score(truth, answers, average="macro"))
    each = [metrics.log_loss(truth[:, k], answers[:, k]) for k in range(4)]
    assert found["log_loss"] == pytest.approx(np.mean(each))


@given(seed=st.integers(0, 1000), rows=st.integers(3, 40))
def test_no_threshold_gives_a_higher_f1_than_the_fitted_one(seed, rows):
    rng = np.random.default_rng(seed)
    answers, truth = rng.integers(0, 8, (rows, 1)) / 8, rng.random((rows, 1)) > 0.6
    (fitted,) = best_thresholds(answers, truth)

    def f1(threshold: float) -> float:
        return metrics.f1_score(truth[:, 0], answers[:, 0] >= threshold, zero_division=0.0)

    assert f1(fitted) == pytest.approx(max(map(f1, [*np.unique(answers), 0.5]))) or not truth.any()


def test_a_decoder_gives_the_labels_that_reach_their_threshold():
    output = {"classes": list(LABELS), "decoder": {"thresholds": [0.2, 0.5, 0.9]}}
    outputs = np.array([[0.3, 0.4, 0.95], [0.1, 0.1, 0.1]], np.float32)
    decoder = LabelSetDecoder(output)
    assert decoder.decode(outputs, {}).tolist() == [["blue", "red"], []]
    assert [len(column) for column in decoder.table(outputs, {})] == [2] * len(decoder.columns)
    assert LabelSetDecoder({"classes": list(LABELS)}).decode(outputs, {}).tolist() == [["red"], []]


def test_what_answers_get_wrong_is_told_by_label():
    output = LabelSetOutput(labels=LABELS)
    answers, truth = np.array([[0.9, 0.1, 0.8], [0.2, 0.7, 0.1]]), np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    found = TASK.analyze(answers, truth, output, {}, worst=5)
    assert found.parts["wrong_rows"] == 1 and [one.right for one in found.parts["classes"]] == [1, 1, 0]
    ((row, known),) = found.worst
    assert row == 0 and (known["truth"], known["answer"]) == ("blue", "blue, red")


def test_classes_that_few_labels_make_up_are_warned_about(tmp_path):
    rng = np.random.default_rng(0)
    sets = [" ".join(sorted({str(one), str(other)})) for one, other in rng.integers(0, 6, (400, 2))]
    frame = pd.DataFrame({"n": rng.normal(size=400), "digits": sets})
    (warning,) = [
        text for text in prepare(frame, tmp_path / "a", DataOptions(target="digits")).warnings if "multilabel" in text
    ]
    assert "15 of the 21 classes of 'digits' are made of the same 6 labels" in warning and "label_separator=' '" in warning
    states = rng.choice(["New York", "New Mexico", "Ohio", "Utah", "Iowa", "Maine", "Texas", "Idaho", "Nevada", "Oregon"], 400)
    assert not any("multilabel" in text for text in prepare(frame.assign(digits=states), tmp_path / "b").warnings)
