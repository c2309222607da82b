"""The search: stopping as a pure function, proposals, and the loop on a virtual clock."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path
from typing import get_args

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_automl import families
from lepton_automl.errors import StudyError
from lepton_automl.events import Asked, HostWeighed, SamplerName, StudyStarted, TrialEnded, TrialProposed, TrialThawed
from lepton_automl.execution.simulated import Recording, SimulatedExecutor
from lepton_automl.jobs import TrialResult
from lepton_automl.journal import Journal
from lepton_automl.objective import Objective
from lepton_automl.search import journal_retry
from lepton_automl.search.budget import BudgetTracker, affordable_epochs
from lepton_automl.search.early_stopper import EarlyStopper
from lepton_automl.search.forecast import Forecaster
from lepton_automl.search.loop import Loop
from lepton_automl.search.propose import Proposer
from lepton_automl.search.samplers import sampler
from lepton_automl.search.stopping import is_promoted, rungs
from lepton_automl.search.to_optuna import to_optuna
from lepton_automl.search.warm import Prior, prior_trials, warm_start_designs
from lepton_automl.space import Categorical, Float, Integer, Space
from lepton_automl.specs import Budget, Deployment
from lepton_automl.state import StudyState
from lepton_automl.study.runner import jobs, proposer_of, search
from lepton_automl.study_store import CHECKPOINT, StudyStore
from tests.samples import config, profile, table_spec, weighed

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
    assert is_promoted(costs, others) is expected


def studied(space: Space, **changes) -> StudyState:
    """A study that has begun, over some space."""
    begun = StudyStarted(at=0.0, config=config(space=space, objectives=GOALS, **changes))
    return StudyState().feed([begun, HostWeighed(at=0.0, weighed=weighed(), epochs=8)])


class Played:
    """A proposer whose trials end at once."""

    def __init__(self, space: Space, *, sampler_name: str = "tpe", first=(), seed: int = 0, **changes) -> None:
        self.state = studied(space, **changes)
        self.proposer = Proposer(self.state, sampler(sampler_name, space, GOALS, seed=seed), first=first, seed=seed)

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


SMALL = Space(knobs={"model.a": Categorical(1, 2, 3, default=1), "model.b": Categorical("x", "y", default="x")})


@pytest.mark.parametrize("name", get_args(SamplerName))
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
def test_every_sampler_stays_within_ranges_and_learns_from_what_it_is_told(name):
    space = Space(knobs={"model.a": Float(0.0, 1.0, default=0.9), "model.n": Integer(1, 64, default=8, log=True)})
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
    played = Played(Space(knobs={"model.a": Float(0.0, 1.0, default=0.9)}), target=Deployment(max_latency_ms=0.21))
    asked = []
    for _ in range(60):
        proposal = played.ask()
        width = proposal.config["model.a"]
        asked.append(width)
        values = {"latency_ms": width + 0.01} | ({} if width > 0.2 else {"score": width})
        played.end(proposal, values, limit=width > 0.2)
    assert sum(width <= 0.25 for width in asked[30:]) > 20


def test_failures_teach_nothing_and_break_nothing():
    played = Played(Space(knobs={"model.a": Float(0.0, 1.0, default=0.9)}))
    for _ in range(20):
        played.end(played.ask(), {})
    assert played.ask() is not None


def test_what_a_person_enqueues_comes_first_in_their_order():
    played = Played(SMALL, first=[{}])
    for config_ in ({"model.a": 3}, {"model.a": 2, "model.b": "y"}):
        played.proposer.enqueue(config_)
    found = []
    for _ in range(3):
        found.append(played.ask())
        played.end(found[-1], {"score": 0.5})
    assert [one.origin for one in found] == ["enqueued", "enqueued", "portfolio"]
    assert found[0].config == {"model.a": 3, "model.b": "x"}


def recorded(job):
    """A wide network costs more and ends better; so does a low learning rate, which learns slowly."""
    width, rate = float(job.config["model.width"]), job.config["train.lr"]
    final, pace = 1 - 1 / (2 + width) - 0.1 * math.log(rate / 0.005), min(1.0, rate / 0.02)
    curve = tuple(
        {"accuracy": final * (1 - 0.5 ** (pace * epoch)), "train_loss": 1.0} for epoch in range(1, job.train.epochs + 1)
    )
    failure = "it diverged" if job.trial == 3 else ""
    return Recording(
        profile=profile(width / 10), curve=curve, epoch_seconds=width / 4, final={"accuracy": final}, failure=failure
    )


def run(tmp_path, name="sample", **changes):
    folder = StudyStore(tmp_path).create(name)
    executor = SimulatedExecutor(2, recorded, weighed(epoch_seconds=2.0), began=1000.0)
    told = []
    state = search(config(**changes), folder, executor, told.append)
    return state, folder, executor, told


def test_a_search_keeps_its_trials_and_the_journal_tells_it_again(tmp_path):
    state, _, _, told = run(tmp_path, budget=Budget(trials=30))
    assert len(state.trials) == 30 and state.ended.reason == "the budget of 30 trials is spent"
    statuses = [trial.status for trial in state.trials.values()]
    assert statuses.count("stopped") >= 5 and statuses.count("complete") >= 5 and statuses[3] == "failed"
    replayed = StudyState.replay(StudyStore(tmp_path).journal("sample"))
    assert replayed == state
    assert len(list(StudyStore(tmp_path).journal("sample").read())) == len(told)
    assert state.ended.chosen == state.choose().number


def test_a_study_is_an_optuna_study_with_the_same_front(tmp_path):
    state, *_ = run(tmp_path, budget=Budget(trials=30), target=Deployment(max_latency_ms=2.0))
    taken = to_optuna(state)
    best = {tuple(trial.values) for trial in taken.best_trials}  # of equal models Optuna lists all
    assert best == {(state.score(model), model.profile.latency_ms) for model in state.front()}
    by_status = {trial.user_attrs["status"]: trial.state.name for trial in taken.trials}
    assert by_status == {"complete": "COMPLETE", "stopped": "PRUNED", "infeasible": "PRUNED", "failed": "FAIL"}
    assert all(max(trial.constraints.values()) > 0 for trial in taken.trials if trial.user_attrs["status"] == "infeasible")
    assert all(trial.user_attrs["curve"] for trial in taken.trials if trial.user_attrs["status"] == "stopped")
    optuna.visualization.plot_pareto_front(taken)
    for drawing in (optuna.samplers.TPESampler(seed=0), optuna.samplers.NSGAIISampler(seed=0)):  # people go on from it
        taken.sampler = drawing
        assert 0 < taken.ask({"train.lr": taken.trials[0].distributions["train.lr"]}).params["train.lr"] < 1


def test_stopping_saves_epochs_without_losing_the_best(tmp_path):
    state, *_ = run(tmp_path, budget=Budget(trials=30))
    assert state.epochs < 0.85 * 30 * 8
    widest = max(trial.proposed.config["model.width"] for trial in state.trials.values() if trial.status == "complete")
    assert widest >= 24


def test_a_stopped_trial_is_thawed_where_that_promises_most(tmp_path):
    state, _, _, told = run(tmp_path, budget=Budget(trials=40))
    thawed = [event for event in told if isinstance(event, TrialThawed)]
    again = [state.trials[event.trial] for event in thawed]
    assert any(trial.status == "complete" for trial in again), "what was thawed was only stopped again"
    for trial in again:
        epochs = [report.epoch for report in trial.reports]
        assert epochs == list(range(trial.epochs + 1)), "an epoch was said twice, or left out"
        seconds = [report.seconds for report in trial.reports]
        assert seconds == sorted(seconds)
    assert state.epochs == sum(trial.epochs for trial in state.trials.values())
    assert set(state.checkpointed) == {
        trial.number for trial in state.trials.values() if trial.status == "stopped" and trial.epochs
    }


def test_what_cannot_end_in_time_is_not_thawed(tmp_path):
    _, folder, executor, _ = run(tmp_path, budget=Budget(trials=40))
    events = [event for _, event in Journal(folder / "journal.jsonl").read()]
    at = next(number for number, event in enumerate(events) if isinstance(event, TrialThawed))
    state = StudyState().feed(events[:2])
    forecaster = Forecaster(state)
    proposer = proposer_of(state, forecaster)
    told = {
        "proposer": proposer,
        "forecaster": forecaster,
        "early_stopper": EarlyStopper(state, forecaster),
        "job": jobs(state, folder),
    }
    Loop(state, journal=Journal(folder / "none.jsonl"), executor=executor, **told).replay(events[2:at], lost=False)
    assert proposer.ask(len(state.trials)).resumed == events[at].trial
    assert proposer.ask(len(state.trials), lambda _: False).resumed is None


def test_a_study_keeps_the_checkpoints_of_frozen_trials_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("lepton_automl.state.MOST_CHECKPOINTED", 3)

    class Writing(SimulatedExecutor):
        """Leaves a checkpoint for every trial."""

        def submit(self, job):
            folder = Path(job.folder)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / CHECKPOINT).touch()
            super().submit(job)

    folder = StudyStore(tmp_path).create("sample")
    state = search(config(budget=Budget(trials=30)), folder, Writing(2, recorded, weighed()))
    left = {int(path.parent.name) for path in folder.glob(f"trials/*/{CHECKPOINT}")}
    assert left == set(state.checkpointed) and len(left) == 3


def test_an_earlier_study_is_tried_first_and_learnt_from(tmp_path):
    earlier, *_ = run(tmp_path, "earlier", budget=Budget(trials=40))
    space = config().space.restrict({"model.kernel": 5})
    known = prior_trials(earlier, space)
    assert {one.study for one in known} == {"sample"} and min(one.standing for one in known) == 0
    assert all(one.config.keys() <= space.keys() for one in known)
    usual = families.initial_designs(config().data)
    first = warm_start_designs(known, space, usual)
    assert first[1::2][:3] == usual[:3] and len(usual) + 3 <= len(first) <= len(usual) + 6
    assert all(one["model.kernel"] == 5 for one in first[::2][:3])

    def encode(configs):
        return np.array([[math.log(one["model.width"]), math.log(one["train.lr"])] for one in configs])

    prior = Prior([one for one in known if {"model.width", "train.lr"} <= one.config.keys()], encode)
    good, bad = ({"model.width": 48, "train.lr": 0.006}, {"model.width": 4, "train.lr": 0.05})
    assert prior.standings([good, bad])[:, 0] @ [-1, 1] > 0.3
    state, *_ = run(tmp_path, "warm", budget=Budget(trials=12), precedents=known)
    tried = [trial.proposed.config for trial in state.trials.values()][::2]
    assert tried[:3] == warm_start_designs(known, config().space, [])[:3]


def test_a_study_of_another_family_teaches_nothing(tmp_path):
    earlier, *_ = run(tmp_path, budget=Budget(trials=10))
    assert prior_trials(earlier, families.space_for(table_spec())) == ()
    assert Prior((), lambda configs: np.empty((len(configs), 0))).standings([{}, {}]).shape == (2, 0)


def test_a_time_budget_is_kept_on_the_clock(tmp_path):
    state, _, executor, _ = run(tmp_path, budget=Budget(minutes=10))
    assert 0.95 * 600 <= executor.now() - 1000 <= 600 * 1.01
    vain = [trial for trial in state.trials.values() if trial.result and "the budget ends" in trial.result.reason]
    assert len(vain) <= 4
    assert all(trial.result is not None for trial in state.trials.values())


def test_an_epoch_budget_ends_the_search(tmp_path):
    state, *_ = run(tmp_path, budget=Budget(epochs=40))
    assert 40 <= state.epochs <= 40 + 2 * 8


def test_no_epoch_is_spent_on_what_breaks_a_limit(tmp_path):
    state, *_ = run(tmp_path, budget=Budget(trials=20), target=Deployment(max_latency_ms=1.0))
    broken = [trial for trial in state.trials.values() if trial.profile.latency_ms > 1.0]
    assert broken and all(trial.status == "infeasible" and trial.epochs == 0 for trial in broken)
    assert all(trial.profile.latency_ms <= 1.0 for trial in state.front())


def test_a_limit_that_nothing_can_keep_is_found_before_any_trial(tmp_path):
    with pytest.raises(ValueError, match=r"The fastest network here takes 0\.01 ms"):
        run(tmp_path, target=Deployment(max_latency_ms=0.001))


def test_epochs_are_cut_to_what_the_time_affords():
    assert affordable_epochs(40, 1.0, None, workers=2) == 40
    assert affordable_epochs(40, 10.0, 600.0, workers=2) == 8
    assert affordable_epochs(40, 1e4, 60.0, workers=2) == 3


@pytest.mark.parametrize(
    ("budget", "share"),
    [
        (Budget(trials=4), 0.25),
        (Budget(minutes=1), 0.5),
        (Budget(epochs=16), 0.5),
        (Budget(cost=1.0, prices={"cpu": 30.0}), 0.5),  # an hour of each of two workers costs 30: a minute is bought
    ],
)
def test_the_purse_says_how_much_is_used(study_state, budget, share):
    state = study_state([(0.9, 1.0)])
    state.config = state.settings.replace(budget=budget, workers=2)
    assert BudgetTracker(state).share(state.started.at + 30.0) == pytest.approx(share)


def test_an_interrupted_search_keeps_what_it_found(tmp_path):
    def interrupt(event):
        if isinstance(event, TrialEnded) and event.result.trial == 4:
            raise KeyboardInterrupt

    folder = StudyStore(tmp_path).create("sample")
    executor = SimulatedExecutor(2, recorded, weighed(), began=1000.0)
    state = search(config(budget=Budget(trials=30)), folder, executor, interrupt)
    assert state.ended.reason == "it was interrupted" and state.front()
    assert all(trial.result is not None for trial in state.trials.values())


def test_a_model_that_breaks_a_limit_when_it_is_done_is_not_handed_over(tmp_path):
    def slower(job):
        played = recorded(job)
        return dataclasses.replace(played, finished=profile(played.profile.latency_ms * 2))

    folder = StudyStore(tmp_path).create("sample")
    asked = config(budget=Budget(trials=20), target=Deployment(max_latency_ms=1.5))
    state = search(asked, folder, SimulatedExecutor(2, slower, weighed()), lambda _: None)
    assert all(trial.profile.latency_ms <= 1.5 for trial in state.front())
    assert any(trial.status == "infeasible" and trial.epochs == 8 for trial in state.trials.values())


def test_a_search_in_which_everything_fails_ends_and_says_why(tmp_path):
    folder = StudyStore(tmp_path).create("sample")
    executor = SimulatedExecutor(2, lambda job: dataclasses.replace(recorded(job), failure="no space left"), weighed())
    state = search(config(budget=Budget(minutes=60)), folder, executor, lambda _: None)
    assert "trials failed, the last one: no space left" in state.ended.reason and len(state.trials) < 20
    with pytest.raises(RuntimeError, match="Its last failure: no space left"):
        state.choose()


def test_any_seed_will_do():
    played = Played(Space(knobs={"model.a": Float(0.0, 1.0, default=0.9)}), seed=2**32 - 1)
    assert played.ask() is not None


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(cut=st.floats(0.0, 1.0), torn=st.integers(0, 40))
def test_a_search_taken_up_anywhere_ends_as_the_unbroken_one(tmp_path_factory, cut, torn):
    """The journal is cut off at any byte, as a kill would, and the search goes on with the clock of its last event."""
    home = tmp_path_factory.mktemp("home")
    whole, folder, _, told = run(home, "whole", budget=Budget(trials=40))
    assert any(isinstance(event, TrialThawed) for event in told)
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    kept = b"".join(lines[: 2 + int(cut * (len(lines) - 3))])
    again = StudyStore(home).create("again")
    (again / "journal.jsonl").write_bytes(kept + lines[-1][:torn])
    last = StudyState.replay(StudyStore(home).journal("again")).last_at
    state = search(config(), again, SimulatedExecutor(2, recorded, weighed(epoch_seconds=2.0), began=last))
    assert table(state) == table(whole) and not state.running


def table(state):
    """All that a study found."""
    return [
        (one.number, one.proposed.config, one.status, one.epochs, one.result.scores, one.ended_at)
        for one in state.trials.values()
    ]


def test_what_a_person_asks_is_heard(tmp_path):
    folder = StudyStore(tmp_path).create("sample")
    executor = SimulatedExecutor(2, recorded, weighed(epoch_seconds=2.0), began=0.0)
    script = {
        40: Asked(at=0.0, uid="a", what="pause"),
        80: Asked(at=0.0, uid="b", what="resume"),
        90: Asked(at=0.0, uid="c", what="enqueue", config={"model.width": 9}),
        100: Asked(at=0.0, uid="d", what="extend", budget=Budget(trials=1000)),
        2000: Asked(at=0.0, uid="e", what="stop"),
    }
    looks = itertools.count()

    def inbox():
        asked = script.get(next(looks))
        return [asked.replace(at=executor.now())] if asked else []

    state = search(config(budget=Budget(trials=4)), folder, executor, inbox=inbox)
    assert [one.what for one in state.commands] == ["pause", "resume", "enqueue", "extend", "stop"]
    assert state.ended.reason == "a person stopped it" and len(state.trials) > 10 and not state.running
    assert 6 < state.idle < 10 and state.paused is None  # 40 looks, a fifth of a second each
    assert any(one.proposed.origin == "enqueued" and one.proposed.config["model.width"] == 9 for one in state.trials.values())


@pytest.mark.parametrize("what", ["stop", "resume", "enqueue"])
def test_a_search_that_cannot_write_its_journal_still_receives_what_is_asked(tmp_path, monkeypatch, what):
    folder = StudyStore(tmp_path).create("sample")
    executor = SimulatedExecutor(2, recorded, weighed(epoch_seconds=2.0), began=0.0)
    append, full, looks = Journal.append, [], itertools.count()
    monkeypatch.setattr(journal_retry, "RETRY", 1000.0 if what == "resume" else 0.5)

    def refusing(journal, event, *, durable=True):
        if full:
            raise StudyError("cannot write the journal: No space left on device", where=str(journal.path))
        append(journal, event, durable=durable)

    def fill(event):
        if isinstance(event, TrialEnded) and event.result.trial == 3:
            full.append("full")

    def inbox():
        """Something is asked while the disk is full, which has room then unless that was the end."""
        if not full or next(looks) != 1:
            return []
        if what != "stop":
            full.clear()
        return [Asked(at=executor.now(), uid="a", what=what, config={"model.width": 9})]

    monkeypatch.setattr(Journal, "append", refusing)
    asked = config(budget=Budget(trials=8))
    if what == "stop":
        with pytest.raises(StudyError, match=r"(?s)stopped while it waited for its journal .*lepton resume sample"):
            search(asked, folder, executor, fill, inbox)
        full.clear()
        again = SimulatedExecutor(2, recorded, weighed(epoch_seconds=2.0), began=executor.now())
        state = search(asked, folder, again)  # whoever resumes it takes the stop back
    else:
        state = search(asked, folder, executor, fill, inbox)
    assert len(state.trials) == 8 and all(trial.result for trial in state.trials.values())
    assert [one.what for one in state.commands] == ([] if what == "stop" else [what])
    assert StudyState.replay(Journal(folder / "journal.jsonl")) == state


def test_a_trial_whose_worker_is_lost_is_tried_once_more(tmp_path):
    class Losing(SimulatedExecutor):
        """Its workers die under trials 2 (once) and 4 (always)."""

        def __init__(self) -> None:
            super().__init__(2, recorded, weighed())
            self.lost = []

        def poll(self, timeout):
            return [self.lose(one) if isinstance(one, TrialResult) else one for one in super().poll(timeout)]

        def lose(self, result):
            first = result.trial not in self.lost
            self.lost.append(result.trial)
            if (result.trial == 2 and first) or result.trial == 4:
                return TrialResult(trial=result.trial, status="failed", reason="the worker process died", fault="worker")
            return result

    executor = Losing()
    state = search(config(budget=Budget(trials=8)), StudyStore(tmp_path).create("sample"), executor)
    assert executor.lost.count(2) == 2 == executor.lost.count(4)
    assert state.trials[2].status != "failed" and state.trials[2].retries == 1
    assert state.trials[4].status == "failed" and state.trials[4].result.reason == "the worker process died"
