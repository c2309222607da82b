"""Several quantiles of one number: asked for by name, never crossing, scored as scikit-learn does."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import mean_pinball_loss

from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.errors import ConfigError
from lepton_automl.metric import values_of
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_named
from lepton_automl.tasks.quantile import QuantileOutput
from lepton_automl.tasks.quantile.decoder import QuantileDecoder
from lepton_automl.tasks.quantile.scorers import quantile_scorers
from lepton_automl.tasks.quantile.training import Pinball

TASK = task_named("quantile")


def test_naming_quantiles_asks_for_the_task(tmp_path):
    frame = pd.DataFrame({"a": np.arange(100.0), "y": np.arange(100.0) * 3})
    spec = prepare(frame, tmp_path / "a", DataOptions(target="y", quantiles=(0.25, 0.75)))
    assert (spec.task, spec.output.quantiles, spec.outputs, spec.classes) == ("quantile", (0.25, 0.75), 2, ())
    assert DataSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert prepare(frame, tmp_path / "b", DataOptions(target="y", task="quantile")).output.quantiles == (0.1, 0.5, 0.9)
    with pytest.raises(ConfigError, match="quantiles is for the task 'quantile'"):
        prepare(frame, tmp_path / "c", DataOptions(target="y", quantiles=0.5, task="regression"))


@pytest.mark.parametrize("quantiles", [(0.9, 0.1), (0.0, 0.5), (0.5, 0.5), ("low",)])
def test_quantiles_lie_between_0_and_1_and_rise(quantiles):
    with pytest.raises(ConfigError, match="they must be between 0 and 1, in ascending order"):
        DataOptions(quantiles=quantiles)


def test_loss_and_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    quantiles = (0.1, 0.5, 0.9)
    answers, truth = np.sort(rng.normal(size=(300, 3)), axis=1), rng.normal(size=300)
    expected = np.mean([mean_pinball_loss(truth, answers[:, k], alpha=q) for k, q in enumerate(quantiles)])
    found = values_of(quantile_scorers(quantiles), answers, truth)
    loss = Pinball(quantiles)(torch.from_numpy(answers).float(), torch.from_numpy(truth).float())
    assert found["pinball"] == pytest.approx(expected) and loss.item() == pytest.approx(expected, rel=1e-5)
    below = [np.mean(truth <= answers[:, k]) for k in range(3)]
    assert found["calibration_error"] == pytest.approx(np.mean(np.abs(np.array(below) - quantiles)))


def test_quantiles_of_a_row_never_cross():
    decoder = QuantileDecoder({"target": "y", "quantiles": [0.1, 0.5, 0.9]})
    outputs = np.array([[3.0, 1.0, 2.0]], np.float32)
    assert decoder.decode(outputs, {}).tolist() == [[1.0, 2.0, 3.0]]
    assert decoder.table(outputs, {}) == [[2.0], [1.0], [2.0], [3.0]] and decoder.columns[1] == "quantile_0.1"
    with pytest.raises(ConfigError, match="no probabilities"):
        decoder.probabilities(outputs)


def test_the_share_of_targets_below_each_quantile_is_looked_at():
    truth = np.linspace(0, 1, 1001)
    answers = np.tile([0.1, 0.6, 0.9], (1001, 1))
    found = TASK.analyze(answers, truth, QuantileOutput(quantiles=(0.1, 0.5, 0.9)), {}, worst=3)
    assert [share for _, share in found.parts["coverage"]] == pytest.approx([0.1, 0.6, 0.9], abs=2e-3)
    assert len(found.worst) == 3
