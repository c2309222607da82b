"""Samplers: each fills a space, stays within it, and learns from reports."""

from __future__ import annotations

import pytest

from lepton_automl import plugins
from lepton_automl.events import HostBenchmarked, StudyStarted, TrialEnded, TrialProposed
from lepton_automl.jobs import TrialResult
from lepton_automl.search.propose import Proposer
from lepton_automl.search.sampler import make_sampler
from lepton_automl.space import Categorical, Float, Integer, Space
from lepton_automl.specs import Deployment
from lepton_automl.state import StudyState
from lepton_automl.testing.sampler import SamplerContract
from tests.samples import benchmarked_host, config, profile

from .recorded_search import GOALS


def contract(name):
    """The contract's tests for one of ours."""
    return type("TestSampler", (SamplerContract,), {"factory": plugins.load("samplers", name)})


TestTpe, TestNsga2, TestRandom, TestGrid = map(contract, ("tpe", "nsga2", "random", "grid"))
TestGp = pytest.mark.slow(contract("gp"))  # a draw takes a third of a second


def studied(space: Space, **changes) -> StudyState:
    """A study that has begun, over some space."""
    begun = StudyStarted(at=0.0, config=config(space=space, objectives=GOALS, **changes))
    return StudyState().feed([begun, HostBenchmarked(at=0.0, benchmark=benchmarked_host(), epochs=8)])


class Played:
    """A proposer whose trials end at once."""

    def __init__(self, space: Space, *, sampler_name: str = "tpe", first=(), seed: int = 0, **changes) -> None:
        self.state = studied(space, **changes)
        self.proposer = Proposer(self.state, make_sampler(sampler_name, space, GOALS, seed=seed), first=first, seed=seed)

    def ask(self):
        return self.proposer.ask(len(self.state.trials))

    def end(self, proposal, values, limit=None):
        number = len(self.state.trials)
        event = TrialProposed(at=0.0, trial=number, uid="", config=proposal.config, recipe={}, origin=proposal.origin)
        scores = {"accuracy": values["score"]} if "score" in values else {}
        status = "infeasible" if limit else "complete" if scores else "failed"
        result = TrialResult(trial=number, status=status, scores=scores, profile=profile(values.get("latency_ms", 1.0)))
        for happened in (event, TrialEnded(at=0.0, result=result)):
            self.state.apply(happened)
        self.proposer.recall(event)
        self.proposer.tell(self.state.trials[number])


SMALL = Space(hyperparameters={"model.a": Categorical(1, 2, 3, default=1), "model.b": Categorical("x", "y", default="x")})


@pytest.mark.parametrize("name", plugins.BUILT_IN["samplers"])
def test_every_sampler_fills_a_space_without_repeating_itself_and_the_same_again(name):
    def proposed(seed: int) -> list[dict[str, object]]:
        played = Played(SMALL, sampler_name=name, first=[{}, {"model.a": 2}, {}], seed=seed)
        found = []
        while (proposal := played.ask()) and len(found) < 10:
            found.append(proposal.config)
            assert played.ask() == proposal  # asking changes nothing
            played.end(proposal, {"score": proposal.config["model.a"] / 3})
        return found

    first = proposed(1)
    assert len(first) == 6 == len({tuple(sorted(one.items())) for one in first})
    assert first[:2] == [{"model.a": 1, "model.b": "x"}, {"model.a": 2, "model.b": "x"}]
    assert first == proposed(1)


@pytest.mark.parametrize("name", ["tpe", "gp", "nsga2", "random"])
def test_every_sampler_stays_within_ranges_and_learns_from_reports(name):
    space = Space(hyperparameters={"model.a": Float(0.0, 1.0, default=0.9), "model.n": Integer(1, 64, default=8, log=True)})
    played = Played(space, sampler_name=name)
    asked = []
    for _ in range(14 if name == "gp" else 60):
        proposal = played.ask()
        assert space.complete(proposal.config) == proposal.config
        asked.append(proposal.config["model.a"])
        played.end(proposal, {"score": 1 - abs(proposal.config["model.a"] - 0.3)})
    off = [abs(one - 0.3) for one in asked]
    if name in {"tpe", "gp"}:  # the genetic algorithm needs more generations than a test can wait for
        assert sum(off[-10:]) < 0.8 * sum(off[:10])


def test_the_sampler_learns_where_limits_are_kept():
    played = Played(
        Space(hyperparameters={"model.a": Float(0.0, 1.0, default=0.9)}), deployment=Deployment(max_latency_ms=0.21)
    )
    asked = []
    for _ in range(60):
        proposal = played.ask()
        width = proposal.config["model.a"]
        asked.append(width)
        values = {"latency_ms": width + 0.01} | ({} if width > 0.2 else {"score": width})
        played.end(proposal, values, limit=width > 0.2)
    assert sum(width <= 0.25 for width in asked[30:]) > 20


def test_failed_trials_are_ignored_by_samplers():
    played = Played(Space(hyperparameters={"model.a": Float(0.0, 1.0, default=0.9)}))
    for _ in range(20):
        played.end(played.ask(), {})
    assert played.ask() is not None


def test_enqueued_configurations_come_first_in_order():
    played = Played(SMALL, first=[{}])
    for config_ in ({"model.a": 3}, {"model.a": 2, "model.b": "y"}):
        played.proposer.enqueue(config_)
    found = []
    for _ in range(3):
        found.append(played.ask())
        played.end(found[-1], {"score": 0.5})
    assert [one.origin for one in found] == ["enqueued", "enqueued", "first_design"]
    assert found[0].config == {"model.a": 3, "model.b": "x"}


def test_any_seed_will_do():
    played = Played(Space(hyperparameters={"model.a": Float(0.0, 1.0, default=0.9)}), seed=2**32 - 1)
    assert played.ask() is not None
