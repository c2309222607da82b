"""The linear skip of networks for tables."""

import numpy as np
import pandas as pd
import pytest
import torch

from lepton_automl import families
from lepton_automl.data.open import open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.family import family_named
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable

ROWS = 200


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=ROWS), "b": rng.choice(["x", "y", "z"], ROWS)})
    frame["y"] = frame.a + (frame.b == "x") + 0.1 * rng.normal(size=ROWS)
    return open_data(frame, tmp_path_factory.mktemp("data"), DataOptions(target="y", folds=0))


@pytest.mark.parametrize("heads", [1, 4])
def test_training_starts_from_the_solved_linear_model(data, heads):
    family = family_named("table")
    config = families.space_for(data.spec).defaults | {"model.skip": True, "model.heads": heads}
    network = build(families.full_recipe(config, data.spec)).eval()
    family.start(network, data, lambda: None)
    linear = family_named("linear_table")
    solved = linear.solve(linear.recipe({}, data.spec), data, lambda: None).eval()
    inputs = data.validation.inputs
    with torch.inference_mode():
        outputs, expected = network(**inputs), solved(**inputs)
        assert outputs.shape == (len(data.validation), heads, 1)
        torch.testing.assert_close(outputs, expected.unsqueeze(1).expand_as(outputs), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(
            deployable(network, data.spec)(**inputs), deployable(solved, data.spec)(**inputs), atol=1e-4, rtol=1e-4
        )
    assert "linear skip" in network.recipe.describe() and network.recipe.macs > network.recipe.replace(skip=False).macs


def test_without_a_skip_nothing_is_solved(data):
    network = build(families.full_recipe(families.space_for(data.spec).defaults, data.spec))
    before = {name: part.clone() for name, part in network.state_dict().items()}
    family_named("table").start(network, data, lambda: None)
    assert all(torch.equal(before[name], part) for name, part in network.state_dict().items())
