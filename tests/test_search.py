"""The search: stopping as a pure function, proposals, and the loop on a virtual clock."""

from __future__ import annotations

import dataclasses
import math

import pytest

from lepton_automl.events import TrialEnded
from lepton_automl.execution.simulated import Recording, SimulatedExecutor
from lepton_automl.home import Home
from lepton_automl.search.budget import Purse, affordable_epochs
from lepton_automl.search.propose import Proposer
from lepton_automl.search.stopping import goes_on, rungs
from lepton_automl.service.run import search
from lepton_automl.space import Space, pick, real
from lepton_automl.state import StudyState
from lepton_automl.values import Budget, Objective, Target

from .samples import config, profile, weighed

GOALS = (Objective(name="score", direction="maximize"), Objective(name="latency_ms", direction="minimize"))


def test_rungs_end_before_the_last_epoch():
    assert rungs(1, 8) == (1, 2, 4)
    assert rungs(3, 10, eta=3) == (3, 9)
    assert rungs(5, 5) == ()


@pytest.mark.parametrize(
    ("costs", "others", "expected"),
    [
        ([0.5, 1.0], [], True),  # the first always goes on
        ([0.5, 2.0], [[0.4, 1.0]], False),  # dominated by the only other
        ([0.3, 2.0], [[0.4, 1.0]], True),  # both on the front, both at its ends: none is more crowded
        ([0.3, 0.5], [[0.4, 1.0]], True),
        ([0.9, 0.1], [[0.1, 1.0], [0.2, 2.0], [0.3, 3.0]], True),  # the fastest stands on the front, however bad its score
        ([0.4, 4.0], [[0.1, 1.0], [0.2, 2.0], [0.3, 3.0]], False),
        ([0.2, 2.0], [[0.1, 3.0], [0.15, 2.5], [0.3, 1.0]], True),  # in a crowd, but beaten by none
    ],
)
def test_the_better_half_by_rank_goes_on(costs, others, expected):
    assert goes_on(costs, others) is expected


def test_proposals_never_repeat_and_are_the_same_for_the_same_seed():
    space = Space(knobs={"model.a": pick(1, 2, 3, default=1), "model.b": pick("x", "y", default="x")})

    def proposed(seed: int) -> list[dict[str, object]]:
        proposer = Proposer(space, GOALS, first=[{}, {"model.a": 2}, {}], seed=seed)
        found = []
        for trial in range(10):
            proposal = proposer.ask(trial)
            if proposal is None:
                break
            found.append(proposal.config)
            proposer.tell(trial, {"score": proposal.config["model.a"], "latency_ms": 1.0})
        return found

    first = proposed(1)
    assert len(first) == 6 == len({tuple(sorted(one.items())) for one in first})
    assert first[:2] == [{"model.a": 1, "model.b": "x"}, {"model.a": 2, "model.b": "x"}]
    assert first == proposed(1)


def test_the_sampler_learns_where_limits_are_kept():
    space = Space(knobs={"model.a": real(0.0, 1.0, default=0.9)})
    proposer = Proposer(space, GOALS, seed=0)
    asked = []
    for trial in range(60):
        width = proposer.ask(trial).config["model.a"]
        asked.append(width)
        broken = max(0.0, width - 0.2)
        values = {"latency_ms": math.log(width + 0.01)} | ({} if broken else {"score": width})
        proposer.tell(trial, values, violation=broken)
    assert sum(width <= 0.25 for width in asked[30:]) > 20


def test_failures_teach_nothing_and_break_nothing():
    proposer = Proposer(Space(knobs={"model.a": real(0.0, 1.0, default=0.9)}), GOALS, seed=0)
    for trial in range(20):
        proposer.ask(trial)
        proposer.tell(trial, {})
    assert proposer.ask(20) is not None


def recorded(job):
    """A wide network learns slowly and ends better; a learning rate far from the best one costs what width gains."""
    width = float(job.config["model.width"])
    final = 1 - 1 / (2 + width) - 0.1 * abs(math.log(job.config["train.lr"] / 0.02))
    curve = tuple({"accuracy": final * (1 - 0.5 ** (epoch + 1)), "train_loss": 1.0} for epoch in range(job.train.epochs))
    failure = "it diverged" if job.trial == 3 else ""
    return Recording(
        profile=profile(width / 10), curve=curve, epoch_seconds=width / 4, final={"accuracy": final}, failure=failure
    )


def run(tmp_path, name="sample", **changes):
    folder = Home(tmp_path).create(name)
    executor = SimulatedExecutor(2, recorded, weighed(epoch_seconds=2.0), began=1000.0)
    told = []
    state = search(config(**changes), folder, executor, told.append)
    return state, folder, executor, told


def test_a_search_keeps_its_trials_and_the_journal_tells_it_again(tmp_path):
    state, _, _, told = run(tmp_path, budget=Budget(trials=30))
    assert len(state.trials) == 30 and state.ended.reason == "the budget of 30 trials is spent"
    statuses = [trial.status for trial in state.trials.values()]
    assert statuses.count("stopped") >= 5 and statuses.count("complete") >= 5 and statuses[3] == "failed"
    replayed = StudyState.replay(Home(tmp_path).journal("sample"))
    assert replayed == state
    assert len(list(Home(tmp_path).journal("sample").read())) == len(told)
    assert state.ended.chosen == state.choose().number


def test_stopping_saves_epochs_without_losing_the_best(tmp_path):
    state, *_ = run(tmp_path, budget=Budget(trials=30))
    assert state.epochs < 0.85 * 30 * 8
    widest = max(trial.proposed.config["model.width"] for trial in state.trials.values() if trial.status == "complete")
    assert widest >= 24


def test_a_time_budget_is_kept_on_the_clock(tmp_path):
    state, _, executor, _ = run(tmp_path, budget=Budget(minutes=10))
    assert 0.95 * 600 <= executor.now() - 1000 <= 600 * 1.01
    assert sum(trial.status == "stopped" and trial.epochs < 3 for trial in state.trials.values()) <= 8  # few begun in vain
    assert all(trial.result is not None for trial in state.trials.values())


def test_an_epoch_budget_ends_the_search(tmp_path):
    state, *_ = run(tmp_path, budget=Budget(epochs=40))
    assert 40 <= state.epochs <= 40 + 2 * 8


def test_no_epoch_is_spent_on_what_breaks_a_limit(tmp_path):
    state, *_ = run(tmp_path, budget=Budget(trials=20), target=Target(max_latency_ms=1.0))
    broken = [trial for trial in state.trials.values() if trial.profile.latency_ms > 1.0]
    assert broken and all(trial.status == "infeasible" and trial.epochs == 0 for trial in broken)
    assert all(trial.profile.latency_ms <= 1.0 for trial in state.front())


def test_a_limit_that_nothing_can_keep_is_found_before_any_trial(tmp_path):
    with pytest.raises(ValueError, match=r"The fastest network here takes 0\.01 ms"):
        run(tmp_path, target=Target(max_latency_ms=0.001))


def test_epochs_are_cut_to_what_the_time_affords():
    assert affordable_epochs(40, 1.0, Budget(trials=5), workers=2) == 40
    assert affordable_epochs(40, 10.0, Budget(minutes=10), workers=2) == 8
    assert affordable_epochs(40, 1e4, Budget(minutes=1), workers=2) == 3


def test_the_purse_says_how_much_is_used(study_state):
    state = study_state([(0.9, 1.0)])
    assert Purse(Budget(trials=4), 0.0).share(state, 10.0) == 0.25
    assert Purse(Budget(minutes=1), 0.0).share(state, 30.0) == 0.5
    assert Purse(Budget(epochs=16), 0.0).share(state, 30.0) == 0.5


def test_an_interrupted_search_keeps_what_it_found(tmp_path):
    def interrupt(event):
        if isinstance(event, TrialEnded) and event.result.trial == 4:
            raise KeyboardInterrupt

    folder = Home(tmp_path).create("sample")
    executor = SimulatedExecutor(2, recorded, weighed(), began=1000.0)
    state = search(config(budget=Budget(trials=30)), folder, executor, interrupt)
    assert state.ended.reason == "it was interrupted" and state.front()
    assert all(trial.result is not None for trial in state.trials.values())


def test_a_model_that_breaks_a_limit_when_it_is_done_is_not_handed_over(tmp_path):
    def slower(job):
        played = recorded(job)
        return dataclasses.replace(played, finished=profile(played.profile.latency_ms * 2))

    folder = Home(tmp_path).create("sample")
    asked = config(budget=Budget(trials=20), target=Target(max_latency_ms=1.5))
    state = search(asked, folder, SimulatedExecutor(2, slower, weighed()), lambda _: None)
    assert all(trial.profile.latency_ms <= 1.5 for trial in state.front())
    assert any(trial.status == "infeasible" and trial.epochs == 8 for trial in state.trials.values())


def test_a_search_in_which_everything_fails_ends_and_says_why(tmp_path):
    folder = Home(tmp_path).create("sample")
    executor = SimulatedExecutor(2, lambda job: dataclasses.replace(recorded(job), failure="no space left"), weighed())
    state = search(config(budget=Budget(minutes=60)), folder, executor, lambda _: None)
    assert "trials failed, the last one: no space left" in state.ended.reason and len(state.trials) < 20
    with pytest.raises(RuntimeError, match="Its last failure: no space left"):
        state.choose()


def test_any_seed_will_do():
    space = Space(knobs={"model.a": real(0.0, 1.0, default=0.9)})
    assert Proposer(space, GOALS, seed=2**32 - 1).ask(3) is not None
