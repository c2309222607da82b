"""Sampled contributions agree with enumerated ones within their errors, and add up."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_automl.deployment.shapley import contributions
from lepton_automl.errors import ConfigError


def mixtures(function, row, background):
    """Answers of a function of rows for mixtures."""
    return lambda masks, rows: function(np.where(masks, row, background[rows]))


def interacting(rows):
    return np.stack([rows[:, 0] * rows[:, 1] + rows[:, 2], np.maximum(rows[:, 3], rows[:, 0]) - rows[:, -1] ** 2], 1)


def by_definition(function, row, background):
    """The mean gain of each part over all permutations and background rows."""
    gains = np.zeros((len(row), 2))
    orders = list(itertools.permutations(range(len(row))))
    for order in orders:
        known, before = np.zeros(len(row), bool), function(background).mean(0)
        for part in order:
            known[part] = True
            after = function(np.where(known, row, background)).mean(0)
            gains[part] += (after - before) / len(orders)
            before = after
    return gains


@given(st.integers(0, 2**32 - 1))
def test_enumerated_contributions_are_those_of_the_definition(seed: int):
    rng = np.random.default_rng(seed)
    row, background = rng.normal(size=5), rng.normal(size=(3, 5))
    found = contributions(mixtures(interacting, row, background), 5, 3)
    assert found.exact and found.evaluations == 3 * 2**5
    assert np.allclose(found.values, by_definition(interacting, row, background))
    assert np.allclose(found.base + found.values.sum(0), found.answer)
    assert np.allclose(found.answer, interacting(row[None])[0])


def test_sampled_contributions_agree_within_their_errors():
    inside = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        row, background = rng.normal(size=9), rng.normal(size=(4, 9))
        answers = mixtures(interacting, row, background)
        exact = contributions(answers, 9, 4, evaluations=2**12)
        found = contributions(answers, 9, 4, evaluations=1500, seed=seed)
        assert exact.exact and not found.exact and found.evaluations <= 1500
        assert np.allclose(found.base + found.values.sum(0), found.answer)
        varied = found.errors > 0
        inside.append(np.abs(found.values - exact.values)[varied] <= 2.2 * found.errors[varied])
    assert np.concatenate(inside).mean() > 0.9


def test_an_additive_answer_has_no_sampling_error_with_one_background_row():
    rng = np.random.default_rng(0)
    row, background, weights = rng.normal(size=30), rng.normal(size=(1, 30)), rng.normal(size=(30, 1))
    found = contributions(mixtures(lambda rows: rows @ weights, row, background), 30, 1, evaluations=500)
    assert np.allclose(found.values[:, 0], (row - background[0]) * weights[:, 0])
    assert np.allclose(found.errors, 0)


def test_time_ends_the_sampling():
    ticks = itertools.count()
    row, background = np.ones(40), np.zeros((2, 40))
    found = contributions(
        mixtures(lambda rows: rows.sum(1, keepdims=True), row, background), 40, 2, evaluations=10**6, seconds=3.0,
        clock=lambda: float(next(ticks)),
    )  # fmt: skip
    assert found.evaluations < 10**5 and math.isclose(found.values.sum(), 40)


@pytest.mark.parametrize("wrong", [{"parts": 0}, {"background": 0}, {"evaluations": 0}, {"seconds": 0.0}])
def test_numbers_that_are_not_positive_are_refused(wrong):
    settings = {"parts": 3, "background": 2} | wrong
    with pytest.raises(ConfigError, match="must be positive"):
        contributions(lambda masks, _: np.zeros((len(masks), 1)), **settings)
