"""Which hyperparameters matter, for each objective on its own."""

from __future__ import annotations

import random

import pytest

from lepton_automl.events import StudyStarted, TrialReported
from lepton_automl.jobs import Decision, Report
from lepton_automl.search import importance
from lepton_automl.space import Categorical, Integer, Space
from lepton_automl.state import StudyState
from tests.samples import (
    config,
    profile,
    trial_events,
)


def random_study(count: int, cost) -> StudyState:
    """Trials whose latency is a function of their configuration, and whose score is another's."""
    space = Space(
        hyperparameters={
            "model.width": Integer(4, 64, default=8),
            "model.kind": Categorical("a", "b", default="a"),
            "train.lr": Integer(1, 9, default=1),
        }
    )
    state = StudyState().feed([StudyStarted(at=0.0, config=config(space=space))])
    rng = random.Random(0)
    for number in range(count):
        drawn = space.sample(rng)
        score, latency = cost(drawn)
        proposed, _, learnt, ended = trial_events(number, score, latency)
        weigh = TrialReported(at=0.0, report=Report(trial=number, epoch=0, profile=profile(latency)), decision=Decision())
        state.feed([proposed.replace(config=drawn), weigh, learnt, ended])
    return state


def test_the_most_important_hyperparameter_is_found_for_each_objective():
    state = random_study(40, lambda c: (0.5 + 0.4 * (c["train.lr"] > 4), 1.0 + c["model.width"] + 0.1 * c["train.lr"]))
    found = importance.rank(state, 5.0)
    assert found.shares["score"]["train.lr"] > 0.7 and found.shares["latency_ms"]["model.width"] > 0.9
    assert "train.lr" not in found.shares["latency_ms"]  # training does not change what a shape costs
    assert found.trials == {"score": 40, "latency_ms": 40} and found == importance.rank(state, 5.0)
    assert sum(found.shares["latency_ms"].values()) == pytest.approx(1.0)


def test_hyperparameters_are_ranked_again_after_half_as_many_more_trials():
    state = random_study(7, lambda c: (0.5, 1.0 + c["model.width"]))
    assert not importance.due(state) and not importance.rank(state, 0.0).shares
    state = random_study(8, lambda c: (0.5, 1.0 + c["model.width"]))
    assert importance.due(state)
    state.apply(importance.rank(state, 0.0))
    assert list(state.ranked.shares) == ["latency_ms"]  # all scores are equal
    for ends, due in ((11, False), (12, True)):
        state.ends = ends
        assert importance.due(state) is due
