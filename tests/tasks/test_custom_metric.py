"""A metric of the user's own: a function of decode_targets and answers as they see them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, mean_absolute_error

from lepton_automl import AutoML, CustomMetric
from lepton_automl.configure import study_config
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.errors import ConfigError
from lepton_automl.study_config import StudyConfig
from lepton_automl.task import metrics_of
from lepton_automl.training.scores import scores
from tests import samples


def agreement(truth, answers):
    """As scikit-learn's accuracy."""
    return accuracy_score(truth, answers)


def largest_probability(truth, outputs):
    """What outputs tell that answers do not."""
    return float(outputs.max(axis=1).mean()) + 0 * len(truth)


def distance(truth, answers):
    """As scikit-learn's."""
    return mean_absolute_error(truth, answers)


def broken(truth, answers):
    """A mistake."""
    return truth + "!"


def test_labels_and_numbers_come_as_the_user_knows_them(tmp_path):
    spec = samples.table_spec().replace(metric=CustomMetric.of(agreement))
    answers, targets = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), np.array([0, 1, 1])
    found = scores(answers, targets, spec)
    assert found["agreement"] == pytest.approx(found["accuracy"]) == pytest.approx(2 / 3)
    of_outputs = spec.replace(metric=CustomMetric.of(largest_probability, on="outputs"))
    assert scores(answers, targets, of_outputs)["largest_probability"] == pytest.approx((0.9 + 0.8 + 0.6) / 3)
    frame = pd.DataFrame({"a": np.arange(40.0), "y": np.arange(40.0) * 1.5})
    numbers = prepare(frame, tmp_path, DataOptions(target="y", folds=0)).replace(
        metric=CustomMetric.of(distance, direction="minimize")
    )
    told = scores(np.array([1.0, 2.0]), np.array([2.0, 4.0]), numbers)
    assert told["distance"] == told["mae"] and metrics_of(numbers)["distance"].direction == "minimize"


def test_a_study_is_chosen_by_it_and_carries_its_code():
    config = study_config(AutoML(metric=CustomMetric.of(distance, direction="minimize")), samples.table_spec(), "own")
    assert (config.metric, config.objectives[0].direction) == ("distance", "minimize")
    assert config.code == (config.data.metric.function,)
    assert StudyConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert study_config(AutoML(metric=agreement), samples.table_spec(), "own").objectives[0].direction == "maximize"


def test_what_is_wrong_with_it_is_said():
    with pytest.raises(ConfigError, match="the metric 'broken' fails"):
        scores(np.array([[0.9, 0.1]]), np.array([0]), samples.table_spec().replace(metric=CustomMetric.of(broken)))
    with pytest.raises(ConfigError, match="the task has a metric 'accuracy' already"):
        study_config(AutoML(metric=CustomMetric.of(agreement, name="accuracy")), samples.table_spec(), "own")
    with pytest.raises(ConfigError, match="there is no metric 'acuracy'"):
        AutoML(metric="acuracy")


def test_answers_that_are_made_of_the_input_too_cannot_be_scored(monkeypatch):
    class Continued:
        def decode(self, outputs, context):
            return context["last"] + outputs

    monkeypatch.setattr("lepton_automl.training.scores.load_decoder", lambda output: Continued())
    spec = samples.table_spec().replace(metric=CustomMetric.of(accuracy_score, name="own"))
    with pytest.raises(ConfigError, match=r"(?s)without the input's 'last'.*on=\"outputs\""):
        scores(np.array([[0.9, 0.1]]), np.array([0]), spec)
