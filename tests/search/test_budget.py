"""Budgets: on the clock, in epochs and in trials, and how much of one is used."""

from __future__ import annotations

import pytest

from lepton_automl.search.budget import BudgetTracker, affordable_epochs, charged_preparation
from lepton_automl.specs import Budget

from .recorded_search import run


def test_a_time_budget_is_kept_on_the_clock(tmp_path):
    state, _, executor, _ = run(tmp_path, budget=Budget(minutes=10))
    assert 0.95 * 600 <= executor.now() - 1000 <= 600 * 1.01
    vain = [trial for trial in state.trials.values() if trial.result and "the budget ends" in trial.result.reason]
    assert len(vain) <= 4
    assert all(trial.result is not None for trial in state.trials.values())


@pytest.mark.parametrize(("prepared", "left", "notes"), [(60.0, 540.0, 0), (1000.0, 450.0, 1)])
def test_preparing_the_data_counts_up_to_a_quarter_of_the_budget(tmp_path, prepared, left, notes):
    state, _, executor, told = run(tmp_path, budget=Budget(minutes=10), prepared=prepared)
    assert 0.95 * left <= executor.now() - 1000 <= left * 1.01
    assert state.started.at == 1000 - (600 - left)
    assert sum("preparing the data took" in getattr(event, "text", "") for event in told) == notes


def test_what_preparation_counts():
    assert charged_preparation(10.0, 300.0) == charged_preparation(10.0, None) == (10.0, "")
    counted, note = charged_preparation(100.0, 300.0)
    assert counted == 75.0 and "took 100 s, of which 25 s do not count" in note


def test_an_epoch_budget_ends_the_search(tmp_path):
    state, *_ = run(tmp_path, budget=Budget(epochs=40))
    assert 40 <= state.epochs <= 40 + 2 * 8


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
def test_the_budget_tracker_reports_how_much_is_used(study_state, budget, share):
    state = study_state([(0.9, 1.0)])
    state.config = state.settings.replace(budget=budget, workers=2)
    assert BudgetTracker(state).share(state.started.at + 30.0) == pytest.approx(share)
