"""Skewed targets are learned on another scale, and scored and answered in their own unit."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lepton_automl.data.options import DataOptions
from lepton_automl.data.targets import read_targets
from lepton_automl.errors import ConfigError
from lepton_automl.specs import OutputSpec
from lepton_automl.target_transform import TargetTransform, fit_transform
from lepton_automl.task import task_named

DRAW = np.random.default_rng(0)
SKEWED = DRAW.lognormal(3, 1, 400)


@pytest.mark.parametrize(
    ("targets", "kind", "sign"),
    [
        (SKEWED, "log", 1),
        (-SKEWED, "log", -1),
        (SKEWED - 1000, "log", 1),
        (DRAW.normal(0, 1, 400) ** 2, "log", 1),
        (DRAW.normal(50, 9, 400), None, 0),
        (DRAW.uniform(0, 1, 400), None, 0),
        (np.floor(DRAW.lognormal(0, 0.7, 400)), None, 0),
        (SKEWED[:40], None, 0),
    ],
    ids=["log-normal", "lower tail", "shifted", "squares", "normal", "uniform", "few values", "few rows"],
)
def test_the_scale_follows_from_the_training_rows(targets, kind, sign):
    transform = fit_transform(targets)
    assert (transform and transform.kind, transform.sign if transform else 0) == (kind, sign)
    if transform:
        stored = transform.stored(targets)
        assert stored.mean() == pytest.approx(0, abs=1e-9) and stored.std() == pytest.approx(1)
        assert transform.low < stored.min() and stored.max() < transform.high
        assert (np.argsort(stored, kind="stable") == np.argsort(targets, kind="stable")).all(), "it grows with the target"


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1), st.sampled_from(["log", "sqrt"]), st.sampled_from([-1.0, 1.0]))
def test_every_number_is_restored(numbers, kind, sign):
    ends = {"center": 1.5, "spread": 0.8, "low": -9.0, "high": 9.0}
    transform = TargetTransform(kind=kind, sign=sign, anchor=2.0, unit=3.0, **ends)
    given_numbers = np.array(numbers, np.float64)
    stored = transform.stored(given_numbers)
    assert transform.restored(stored) == pytest.approx(given_numbers, rel=1e-9, abs=1e-6)
    assert transform.from_unit(torch.from_numpy(given_numbers)).numpy() == pytest.approx(stored, rel=1e-9, abs=1e-9)
    assert transform.to_unit(torch.from_numpy(stored)).numpy() == pytest.approx(given_numbers, rel=1e-9, abs=1e-6)
    assert TargetTransform.from_json(transform.to_json()) == transform


def test_answers_far_outside_the_training_rows_are_clipped():
    options = DataOptions(task="regression", target_transform="auto")
    task = task_named("regression")
    output = task.output(read_targets(SKEWED, options, "y"), np.arange(len(SKEWED)), options)
    assert OutputSpec.from_json(output.to_json()) == output and "skewed" in output.notes[0]
    wild = task.answers(output, members=False, unit=True)(torch.tensor([[-1e9], [0.0], [1e9]]))
    assert wild.isfinite().all() and wild[0] < SKEWED.min() and SKEWED.max() < wild[2] < 10 * SKEWED.max()
    assert wild[1].item() == pytest.approx(np.median(SKEWED), rel=0.2)


def test_it_can_be_set():
    plain = DataOptions(task="regression")
    assert task_named("regression").output(read_targets(SKEWED, plain, "y"), np.arange(400), plain).transform is None
    assert fit_transform(DRAW.normal(50, 9, 400), "sqrt").kind == "sqrt"
    with pytest.raises(ConfigError, match="target_transform is 'cube'"):
        DataOptions(target_transform="cube")
