"""Rows that count more than others: in the loss, in validation, and in the scores of a bundle's test rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import metrics

from lepton_automl.data.datamodule import DataModule
from lepton_automl.data.open import joined_weights, open_data, open_test
from lepton_automl.data.options import DataOptions
from lepton_automl.data.reading import with_weights
from lepton_automl.errors import DataError
from lepton_automl.plans import TrainPlan
from lepton_automl.task import task_named, task_of
from lepton_automl.training.loss import Loss
from lepton_automl.training.resampled import resampled_scores
from lepton_automl.training.scores import scores
from tests.samples import table_spec

ROWS = 400
DRAW = np.random.default_rng(0)
FRAME = pd.DataFrame({"x": DRAW.normal(size=ROWS), "w": DRAW.integers(1, 4, ROWS), "y": DRAW.integers(2, size=ROWS)})
PLAN = TrainPlan(batch_size=16)


def test_weights_are_kept_with_their_rows(tmp_path):
    data = open_data(FRAME, tmp_path / "d", DataOptions(target="y", sample_weight="w", folds=4))
    assert data.spec.input.columns == (("x", "number"),), "it is no feature"
    assert data.train.weights.mean().item() == pytest.approx(1) and len(data.train.weights) == len(data.train)
    assert set((data.train.weights / data.train.weights.min()).round().int().tolist()) == {1, 2, 3}
    test = open_test(data.spec)
    assert len(test.weights) == len(test)
    folds = [data.fold(number) for number in range(4)]
    joined = joined_weights([fold.validation for fold in folds])
    assert sorted(joined.tolist()) == sorted(data.train.weights.tolist())
    batch = next(iter(DataModule(folds[0], PLAN).epoch_batches()))
    assert batch.weights.shape == (16,)
    assert DataModule(folds[0], PLAN).val_dataloader()[0][0].weights is not None
    assert open_data(FRAME, tmp_path / "plain", DataOptions(target="y")).train.weights is None


@pytest.mark.parametrize("members", [False, True])
@pytest.mark.parametrize("task", ["binary", "regression", "quantile", "multilabel"])
def test_a_row_of_weight_two_counts_like_two_rows(task, members):
    if task == "multilabel":
        targets, outputs = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), 2
    else:
        targets, outputs = (torch.tensor([0, 1, 1]), 2) if task == "binary" else (torch.tensor([0.5, -1.0, 2.0]), 1)
    output = task_named(task).output_of_tensor(targets.numpy(), outputs, standardise=False)
    spec = open_spec(output)
    loss = Loss(spec, PLAN, ensemble=members)
    answers = torch.randn((3, 2, outputs) if members else (3, outputs), generator=torch.Generator().manual_seed(0))
    rows = torch.tensor([0, 1, 1, 2])
    doubled = loss(answers[rows], Rows(targets[rows]))
    assert loss(answers, Rows(targets, torch.tensor([0.75, 1.5, 0.75]))).item() == pytest.approx(doubled.item())


def test_scores_of_weighted_rows_are_those_of_scikit_learn():
    weights, truth = DRAW.random(200), DRAW.integers(3, size=200)
    answers = DRAW.dirichlet(np.ones(3), 200)
    found = scores(answers, truth, open_spec(task_named("multiclass").Output(labels=(0, 1, 2))), weights=weights)
    best, each = answers.argmax(1), np.eye(3)[truth]
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, best, sample_weight=weights))
    assert found["mcc"] == pytest.approx(metrics.matthews_corrcoef(truth, best, sample_weight=weights))
    area = np.mean([metrics.roc_auc_score(each[:, k], answers[:, k], sample_weight=weights) for k in range(3)])
    assert found["auroc"] == pytest.approx(area, abs=1e-5)
    precision = metrics.average_precision_score(each, answers, sample_weight=weights)
    assert found["average_precision"] == pytest.approx(precision, abs=1e-5)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, answers, sample_weight=weights), rel=1e-4)
    numbers, told = DRAW.random(200) + 1, DRAW.random(200) + 1
    found = scores(told, numbers, open_spec(task_named("regression").Output()), weights=weights)
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(numbers, told, sample_weight=weights))
    assert found["r2"] == pytest.approx(metrics.r2_score(numbers, told, sample_weight=weights))


@pytest.mark.parametrize(("cell", "what"), [(-1, "1 weights are not"), (np.nan, "1 weights are not"), (None, "all zero")])
def test_weights_that_cannot_be_used_are_refused(tmp_path, cell, what):
    frame = FRAME.assign(w=FRAME.w.astype(float))
    frame["w"] = 0.0 if cell is None else frame.w.where(frame.index != 7, cell)
    with pytest.raises(DataError, match=what):
        open_data(frame, tmp_path / "d", DataOptions(target="y", sample_weight="w"))


def test_weights_may_be_an_array():
    frame = with_weights(FRAME[["x"]], list(range(ROWS)), "sample_weight")
    assert (
        frame.sample_weight.tolist() == list(range(ROWS)) and len(with_weights(np.ones((5, 2)), np.ones(5), "w").columns) == 3
    )
    with pytest.raises(DataError, match="3 weights and 400 rows"):
        with_weights(FRAME, [1, 2, 3], "sample_weight")
    with pytest.raises(DataError, match="rows as a file"):
        with_weights("rows.csv", [1, 2, 3], "sample_weight")


class Rows:
    inputs, other, share = {}, None, 1.0  # never changed

    def __init__(self, targets: torch.Tensor, weights: torch.Tensor | None = None) -> None:
        self.targets, self.weights = targets, weights


def open_spec(output):
    spec = table_spec(output=output)
    assert task_of(spec).name == output.kind
    return spec


def test_intervals_of_weighted_rows_lie_around_the_weighted_score():
    truth = DRAW.integers(2, size=600)
    right = np.where(np.arange(600) < 300, 0.9, 0.2)
    answers = np.where(DRAW.random(600) < right, truth, 1 - truth)[:, None] == np.arange(2)
    answers, weights = answers * 0.8 + 0.1, np.where(np.arange(600) < 300, 1.9, 0.1)
    spec = open_spec(task_named("binary").Output(labels=(0, 1)))
    values = scores(answers, truth, spec, weights=weights)
    for name in ("accuracy", "f1", "auroc", "average_precision"):
        drawn = resampled_scores(values, answers, truth, spec, metric=name, weights=weights)
        low, high = drawn.intervals[name]
        assert low < values[name] < high < low + 0.15 and low > 0.75, name
        assert np.mean(drawn.drawn) == pytest.approx(values[name], abs=0.02) == pytest.approx(np.mean(drawn.left_out), abs=0.03)
