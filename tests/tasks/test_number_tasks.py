"""Numbers are standardised alike, wherever they come from."""

import numpy as np
import pytest
import torch

from lepton_automl.data.labelled import labelled
from lepton_automl.data.options import DataOptions
from lepton_automl.data.targets import read_targets
from lepton_automl.errors import ConfigError
from lepton_automl.task import check_metric, task_named
from tests.samples import table_spec

NUMBERS = np.array([1.5, 2.0, 4.25, 8.0, 9.5])


@pytest.mark.parametrize("name", ["regression", "quantile"])
def test_bare_targets_are_standardised_as_those_of_a_source(name):
    task, options = task_named(name), DataOptions(task=name)
    output = task.output(read_targets(NUMBERS, options, "y"), np.arange(5), options)
    bare = task.output_of_tensor(NUMBERS, 3, standardise=True)
    assert (output.mean, output.scale) == (bare.mean, bare.scale) == (NUMBERS.mean(), NUMBERS.std())
    assert np.std(task.stored(NUMBERS, bare)) == pytest.approx(1)
    assert task.output_of_tensor(NUMBERS[:1], 3, standardise=True).scale == 1, "one target has no deviation"


def test_a_users_own_tensors_have_a_deviation_of_one():
    pairs = torch.zeros(5, 2), torch.from_numpy(NUMBERS).float()
    assert labelled(pairs, pairs, 1).train.targets.std(correction=0).item() == pytest.approx(1)


def test_a_metric_that_the_targets_do_not_allow_is_refused_before_the_search():
    task, options = task_named("regression"), DataOptions(task="regression")
    outputs = [task.output(read_targets(numbers, options, "y"), np.arange(5), options) for numbers in (NUMBERS, NUMBERS - 2)]
    kept, refused = (table_spec(output=output) for output in outputs)
    assert check_metric("rmsle", kept) == check_metric("mape", refused) == "minimize"
    with pytest.raises(
        ConfigError, match=r"not defined for this target: some targets are below zero(?s:.*)rmse, mae, r2, mape"
    ):
        check_metric("rmsle", refused)
