"""Objectives and limits: any cost by one declaration, a user's own one among them."""

from __future__ import annotations

import json
import math

import pytest

from lepton_automl import AutoML, Objective, plugins
from lepton_automl.errors import ConfigError, LeptonError
from lepton_automl.events import StudyStarted
from lepton_automl.objective import cost_named, known_costs, measured
from lepton_automl.specs import Deployment
from lepton_automl.state import StudyState
from tests import samples


def name_length(path: str) -> float:
    """A cost that tests can tell."""
    return len(path)


def no_number(path: str) -> float:
    """What a broken function gives."""
    return math.nan


class File:
    path, macs = "/a/model.onnx", 0


@pytest.mark.parametrize("name", plugins.names("objectives"))
def test_every_cost_declares_itself_whole(name):
    objective = cost_named(name).objective
    assert not objective.is_score and objective.direction == "minimize" and objective.label
    assert Objective.from_json(json.loads(json.dumps(objective.to_json()))) == objective
    assert known_costs()[objective.name] == objective


def test_scales_and_units():
    latency, score = known_costs()["latency_ms"], Objective(name="score", direction="maximize")
    assert latency.search_cost(math.e) == pytest.approx(1.0) and math.isnan(latency.search_cost(0.0))
    assert score.search_cost(0.9) == -0.9 and score.scaled(0.9) == 0.9
    assert known_costs()["size_bytes"].show(12345.0) == "12345 bytes" and latency.show(0.01234) == "0.0123 ms"
    gain = Objective(name="gain", direction="maximize", scale="linear")
    assert gain.search_cost(-3.0) == 3.0


def test_a_function_is_an_objective_and_what_is_wrong_with_it_is_said():
    own = Objective.of(name_length, unit="letters")
    assert own.name == "name_length" and measured(own, File()) == len(File.path)
    assert Objective.from_json(json.loads(json.dumps(own.to_json()))) == own
    with pytest.raises(ConfigError, match="the function of the objective 'no_number' returns nan"):
        measured(Objective.of(no_number), File())
    with pytest.raises(ConfigError, match="is not a function"):
        Objective.of("latency")
    with pytest.raises(LeptonError, match="the multiply-accumulates of these networks are not known"):
        measured(cost_named("macs").objective, File())


def test_limits_are_a_mapping_and_have_short_forms():
    both = Deployment(limits={"latency_ms": 1.0, "memory_bytes": 5e6}, max_size_bytes=1000)
    assert both == Deployment(max_latency_ms=1.0, max_size_bytes=1000, limits={"memory_bytes": 5e6})
    assert both.hard_limits == {"latency_ms": 1.0, "size_bytes": 1000, "memory_bytes": 5e6}
    assert both.replace(max_latency_ms=None).hard_limits == {"size_bytes": 1000, "memory_bytes": 5e6}
    with pytest.raises(ConfigError, match=r"max_latency_ms is 2.0, and limits has 1.0 for latency_ms"):
        Deployment(limits={"latency_ms": 1.0}, max_latency_ms=2.0)
    with pytest.raises(ConfigError, match="the limit on memory_bytes is -1"):
        Deployment(limits={"memory_bytes": -1})


def test_what_breaks_a_limit_and_what_is_not_known_is_said():
    profile = samples.profile(0.5).replace(costs={"memory_bytes": 6e6})
    assert Deployment(max_latency_ms=0.4).exceeded_limit(profile) == "latency 0.5 ms is above the limit of 0.4 ms"
    assert Deployment(max_size_bytes=10).exceeded_limit(profile) == "size 1000 bytes is above the limit of 10 bytes"
    assert Deployment(limits={"memory_bytes": 5e6}).exceeded_limit(profile).startswith("peak memory 6000000 bytes is above")
    assert Deployment(limits={"energy_mj": 1.0}).exceeded_limit(profile) == "energy is not known, and there is a limit on it"
    assert Deployment(limits={"memory_bytes": 7e6}).exceeded_limit(profile) == ""
    assert Deployment(limits={"memory_bytes": 3e6}).excess(profile) == pytest.approx(math.log(2))


def test_objectives_and_limits_that_nothing_measures_are_refused_together():
    with pytest.raises(ConfigError, match="there is no objective 'memmory'") as refused:
        AutoML(objectives=("accuracy", "memmory"), deployment=Deployment(limits={"colour": 1.0}))
    assert "there is no cost 'colour' to limit" in str(refused.value)


def test_a_study_measures_its_objectives_and_limits_beside_what_every_profile_has():
    goals = (Objective(name="score", direction="maximize"), known_costs()["latency_ms"], known_costs()["memory_bytes"])
    config = samples.config(objectives=goals, deployment=Deployment(limits={"cold_start_ms": 50.0}))
    assert [cost.name for cost in config.costs(config.deployment)] == ["cold_start_ms", "memory_bytes"]
    assert samples.config().costs(Deployment(max_latency_ms=1.0)) == ()


def test_three_objectives_make_one_front():
    goals = (Objective(name="score", direction="maximize"), known_costs()["latency_ms"], known_costs()["memory_bytes"])
    state = StudyState().feed([StudyStarted(at=0.0, config=samples.config(objectives=goals))])
    for number, (score, latency, memory) in enumerate([(0.9, 0.2, 3e6), (0.9, 0.3, 1e6), (0.8, 0.3, 2e6)]):
        proposed, *others, ended = samples.trial_events(number, score, latency)
        profile = ended.result.profile.replace(costs={"memory_bytes": memory})
        state = state.feed([proposed, *others, ended.replace(result=ended.result.replace(profile=profile))])
    assert [trial.number for trial in state.front()] == [0, 1]
