"""The search loop on a virtual clock: its trials, its journal, its limits, and what it takes over from earlier studies."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import optuna
import pytest

from lepton_automl import families
from lepton_automl.events import TrialResumed
from lepton_automl.execution.simulated import SimulatedExecutor
from lepton_automl.journal import Journal
from lepton_automl.search.early_stopper import EarlyStopper
from lepton_automl.search.forecast import Forecaster
from lepton_automl.search.loop import Loop
from lepton_automl.search.to_optuna import to_optuna
from lepton_automl.search.warm import Prior, prior_trials, warm_start_designs
from lepton_automl.specs import Budget, Deployment
from lepton_automl.state import StudyState
from lepton_automl.study.runner import jobs, make_proposer, search
from lepton_automl.study_store import CHECKPOINT, StudyStore
from tests.samples import benchmarked_host, config, profile, table_spec

from .recorded_search import recorded, run


def test_a_search_is_rebuilt_from_its_journal(tmp_path):
    state, _, _, told = run(tmp_path, budget=Budget(trials=30))
    assert len(state.trials) == 30 and state.ended.reason == "the budget of 30 trials is spent"
    statuses = [trial.status for trial in state.trials.values()]
    assert statuses.count("stopped") >= 5 and statuses.count("complete") >= 5 and statuses[3] == "failed"
    replayed = StudyState.replay(StudyStore(tmp_path).journal("sample"))
    assert replayed == state
    assert len(list(StudyStore(tmp_path).journal("sample").read())) == len(told)
    assert state.ended.chosen == state.choose().number


def test_a_study_is_an_optuna_study_with_the_same_front(tmp_path):
    state, *_ = run(tmp_path, budget=Budget(trials=30), deployment=Deployment(max_latency_ms=2.0))
    taken = to_optuna(state)
    best = {tuple(trial.values) for trial in taken.best_trials}  # of equal models Optuna lists all
    assert best == {(state.score(model), model.profile.latency_ms) for model in state.front(merged=True)}
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


def test_a_stopped_trial_is_resumed_when_that_looks_best(tmp_path):
    state, _, _, told = run(tmp_path, budget=Budget(trials=40))
    thawed = [event for event in told if isinstance(event, TrialResumed)]
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


def test_what_cannot_end_in_time_is_not_resumed(tmp_path):
    _, folder, executor, _ = run(tmp_path, budget=Budget(trials=40))
    events = [event for _, event in Journal(folder / "journal.jsonl").read()]
    at = next(number for number, event in enumerate(events) if isinstance(event, TrialResumed))
    state = StudyState().feed(events[:2])
    forecaster = Forecaster(state)
    proposer = make_proposer(state, forecaster)
    told = {
        "proposer": proposer,
        "forecaster": forecaster,
        "early_stopper": EarlyStopper(state, forecaster),
        "job": jobs(state, folder),
    }
    Loop(state, journal=Journal(folder / "none.jsonl"), executor=executor, **told).replay(events[2:at], lost=False)
    assert proposer.ask(len(state.trials)).resumed == events[at].trial
    assert proposer.ask(len(state.trials), lambda _: False).resumed is None


def test_a_study_keeps_checkpoints_of_stopped_trials_only(tmp_path, monkeypatch):
    monkeypatch.setattr("lepton_automl.state.MOST_CHECKPOINTED", 3)

    class Writing(SimulatedExecutor):
        """Leaves a checkpoint for every trial."""

        def submit(self, job):
            folder = Path(job.folder)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / CHECKPOINT).touch()
            super().submit(job)

    folder = StudyStore(tmp_path).create("sample")
    state = search(config(budget=Budget(trials=30)), folder, Writing(2, recorded, benchmarked_host()))
    left = {int(path.parent.name) for path in folder.glob(f"trials/*/{CHECKPOINT}")}
    assert left == set(state.checkpointed) and len(left) == 3


def test_a_warm_start_tries_the_earlier_front_first_and_learns_from_it(tmp_path):
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
    state, *_ = run(tmp_path, "warm", budget=Budget(trials=12), prior_trials=known)
    tried = [trial.proposed.config for trial in state.trials.values()][::2]
    assert tried[:3] == warm_start_designs(known, config().space, [])[:3]


def test_a_study_of_another_family_is_not_used(tmp_path):
    earlier, *_ = run(tmp_path, budget=Budget(trials=10))
    assert prior_trials(earlier, families.space_for(table_spec())) == ()
    assert Prior((), lambda configs: np.empty((len(configs), 0))).standings([{}, {}]).shape == (2, 0)


def test_no_epoch_is_spent_on_what_breaks_a_limit(tmp_path):
    state, *_ = run(tmp_path, budget=Budget(trials=20), deployment=Deployment(max_latency_ms=1.0))
    broken = [trial for trial in state.trials.values() if trial.profile.latency_ms > 1.0]
    assert broken and all(trial.status == "infeasible" and trial.epochs == 0 for trial in broken)
    assert all(trial.profile.latency_ms <= 1.0 for trial in state.front())


def test_an_impossible_limit_is_found_before_any_trial(tmp_path):
    with pytest.raises(ValueError, match=r"The fastest network here takes 0\.01 ms"):
        run(tmp_path, deployment=Deployment(max_latency_ms=0.001))


def test_a_finished_model_over_a_limit_is_not_published(tmp_path):
    def slower(job):
        played = recorded(job)
        return dataclasses.replace(played, finished=profile(played.profile.latency_ms * 2))

    folder = StudyStore(tmp_path).create("sample")
    asked = config(budget=Budget(trials=20), deployment=Deployment(max_latency_ms=1.5))
    state = search(asked, folder, SimulatedExecutor(2, slower, benchmarked_host()), lambda _: None)
    assert all(trial.profile.latency_ms <= 1.5 for trial in state.front())
    assert any(trial.status == "infeasible" and trial.epochs == 8 for trial in state.trials.values())


def test_a_search_in_which_everything_fails_ends_with_a_reason(tmp_path):
    folder = StudyStore(tmp_path).create("sample")
    executor = SimulatedExecutor(2, lambda job: dataclasses.replace(recorded(job), failure="no space left"), benchmarked_host())
    state = search(config(budget=Budget(minutes=60)), folder, executor, lambda _: None)
    assert "trials failed, the last one: no space left" in state.ended.reason and len(state.trials) < 20
    with pytest.raises(RuntimeError, match="Its last failure: no space left"):
        state.choose()
