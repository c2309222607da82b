"""What is to be expected: learning curves, gains of a front, what configurations will cost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_automl import families, front
from lepton_automl.plans import PrunePlan
from lepton_automl.search.curves import CurveForecaster
from lepton_automl.search.gain import Frontier
from lepton_automl.search.surrogate import Surrogate, encode
from lepton_automl.space import Categorical, Float, Integer, Space
from tests.samples import image_spec

EPOCHS = 18
costs = st.floats(0.0, 1.0, allow_nan=False)


def curve(end: float, rate: float) -> list[float]:
    """Falls from 1 to its end, faster or slower."""
    return [end + (1 - end) * math.exp(-rate * epoch) for epoch in range(1, EPOCHS + 1)]


KNOWN = [(one, one[-1], []) for end in (0.1, 0.2, 0.3, 0.4) for rate in (0.1, 0.3, 0.9) for one in [curve(end, rate)]]


@pytest.mark.parametrize("rate", [0.15, 0.5])
def test_a_slow_learner_is_distinguished_from_a_converged_one(rate):
    learnt, whole_curve = CurveForecaster(KNOWN), curve(0.15, rate)
    (falls, rests), doubts = learnt.forecast([(whole_curve[:8], []), ([whole_curve[7]] * 8, [])])
    assert falls < whole_curve[7] - 0.02 and abs(falls - whole_curve[-1]) < 3 * doubts[0]
    assert rests > falls + 0.02  # as good by now, and no longer falling


def test_forecasts_know_the_configuration():
    """Curves that begin equal and end by a hyperparameter."""
    known = [
        ([0.9, 0.8, *([0.8 - 0.5 * hyperparameter] * 14)], 0.8 - 0.5 * hyperparameter, [hyperparameter])
        for hyperparameter in np.linspace(0, 1, 20)
    ]
    means, _ = CurveForecaster(known).forecast([([0.9, 0.8], [0.1]), ([0.9, 0.8], [0.9])])
    assert means[0] > means[1] + 0.2


def test_few_or_empty_curves_give_no_forecast():
    def told(curve, known=KNOWN):
        return [float(one[0]) for one in CurveForecaster(known).forecast([(curve, [])])]

    assert all(map(math.isnan, told([0.5], KNOWN[:3]) + told([]) + told([math.nan, math.nan])))
    assert all(map(math.isfinite, told([math.nan, 0.5]) + told([1e9])))  # a cost far from all known counts as a bad one


@given(rows=st.lists(st.tuples(costs, costs), min_size=1, max_size=12), mine=st.tuples(costs, costs))
def test_a_known_point_gains_about_the_hypervolume_that_it_adds(rows, mine):
    best, worst = np.zeros(2), np.ones(2)
    frontier = Frontier.of(np.array(rows), best, worst)
    gain = frontier.gains(np.array([mine]), np.zeros((1, 2)))[0]
    added = front.hypervolume(np.array([*rows, mine]), (1.0, 1.0)) - front.hypervolume(np.array(rows), (1.0, 1.0))
    assert gain * 1.1**2 == pytest.approx(added, abs=0.03)  # the box reaches a tenth beyond the best
    assert 0 <= gain <= frontier.share <= 1


def test_doubt_makes_a_dominated_point_worth_something():
    frontier = Frontier.of(np.array([[0.2, 0.2]]), np.zeros(2), np.ones(2))
    sure, doubtful = frontier.gains(np.array([[0.3, 0.3]] * 2), np.array([[0.0, 0.0], [0.2, 0.0]]))
    assert sure == pytest.approx(0.0, abs=1e-3) and doubtful > 0.005


def test_the_surrogate_ranks_what_it_has_not_seen():
    space = Space(hyperparameters={"model.a": Float(0.0, 1.0, default=0.5), "model.n": Integer(1, 64, default=8, log=True)})
    rng = np.random.default_rng(0)
    drawn = [{"model.a": float(a), "model.n": int(n)} for a, n in zip(rng.random(80), rng.integers(1, 65, 80), strict=True)]
    rows = np.array([encode(space, one) for one in drawn])
    answers = np.array([[abs(one["model.a"] - 0.3), math.log(one["model.n"])] for one in drawn])
    mean, deviation = Surrogate(rows[:60], answers[:60]).predict(rows[60:])
    assert all(np.corrcoef(mean[:, goal], answers[60:, goal])[0, 1] > 0.9 for goal in (0, 1))
    assert mean.shape == deviation.shape == (20, 2)


def test_named_choices_are_encoded_one_by_one_and_pinned_ones_not_at_all():
    space = Space(
        hyperparameters={
            "model.k": Categorical("a", "b", "c", default="a"),
            "model.w": Categorical(3, 5, 7, default=3),
            "model.p": Categorical(1, default=1),
        }
    )
    assert encode(space, {"model.k": "b", "model.w": 7, "model.p": 1}, (2.0,)) == [0.0, 1.0, 0.0, 1.0, 2.0]


def test_children_are_smaller_and_pruned_from_their_parent():
    spec, lean = image_spec(28), PrunePlan()
    space = families.space_for(spec)
    parent = families.final_recipe(space.defaults, spec, lean)
    born = families.children(space.defaults, space, spec, lean)
    shapes = [families.final_recipe(child, spec, lean) for child in born]
    assert len(born) >= 2 and all(parent.contains(shape) and shape != parent for shape in shapes)
    assert all(shape.macs < parent.macs for shape in shapes)
    assert families.children(space.defaults, space.restrict({"prune.ratio": 0.0}), spec, lean) == []
    assert families.children(space.defaults, space, spec.replace(folds=5), lean) == []
