"""How long trials train: their curves, their share of the time and the deadline decide."""

from __future__ import annotations

import math

import pytest

from lepton_automl.execution.simulated import Recording, SimulatedExecutor
from lepton_automl.plans import TrainPlan
from lepton_automl.search.depth import BUDGET_ENDS, TIME_SHARE, is_flat
from lepton_automl.specs import Budget
from lepton_automl.study.runner import search
from lepton_automl.study_store import StudyStore
from tests.samples import benchmarked_host, config, profile


def curve(scores):
    return dict(enumerate(scores, 1))


@pytest.mark.parametrize(
    ("scores", "minimize", "flat"),
    [
        ([0.5, 0.6, 0.7, 0.8], False, False),
        ([0.5, 0.8, 0.801, 0.802], False, True),
        ([0.9, 0.99, 0.993, 0.995], False, False),  # half of the errors are gone
        ([0.5, 0.8, 0.7, 0.6], False, True),  # it becomes worse
        ([9.0, 5.0, 4.5, 4.4], True, False),
        ([9.0, 5.0, 4.99, 4.98], True, True),
        ([100.0, 200.0, 230.0, 260.0], False, False),  # a user's own score has no upper end
        ([1.0, 1.0], False, True),
        ([0.5], False, False),  # there is no first half yet
        ([], False, False),
    ],
)
def test_a_curve_is_flat_if_its_second_half_hardly_lowers_the_error(scores, minimize, flat):
    assert is_flat(curve(scores), minimize=minimize, rows=1000) is flat


def test_epochs_before_pruning_have_no_score():
    assert not is_flat({6: 0.8, 7: 0.8, 8: 0.8}, minimize=False, rows=1000)
    assert is_flat({6: 0.8, 12: 0.8}, minimize=False, rows=1000)


def played(tmp_path, halving_epochs: float, timed: float = 1.0, epoch_seconds: float = 1.0):
    """A search in which errors fall by half in so many epochs, down to a floor."""

    def recorded(job):
        wide = float(job.config["model.width"])
        final = 0.9 - 0.5 / (2 + job.trial)  # later trials are better
        scores = [final - 0.5 * 0.5 ** (epoch / halving_epochs) for epoch in range(1, job.train.epochs + 1)]
        return Recording(
            profile=profile(wide / 10),
            curve=tuple({"accuracy": score, "train_loss": 1.0} for score in scores),
            epoch_seconds=epoch_seconds,
            final={"accuracy": scores[-1]},
        )

    executor = SimulatedExecutor(2, recorded, benchmarked_host(epoch_seconds=timed), began=1000.0)
    asked = config(budget=Budget(minutes=10), train=TrainPlan(epochs=400))
    return search(asked, StudyStore(tmp_path).create("sample"), executor), executor.now() - 1000


def test_a_training_ends_when_its_curve_has_flattened(tmp_path):
    state, _ = played(tmp_path, halving_epochs=2)
    models = [trial for trial in state.trials.values() if trial.is_packed and not trial.is_child]
    ended = [trial for trial in models if trial.result.reason != "the budget ends"]
    assert ended and all("flattened" in trial.result.reason for trial in ended)
    assert max(trial.epochs for trial in models) <= 96  # of 400, by rungs that double


def test_slow_learners_train_for_their_share_of_the_time(tmp_path):
    state, _ = played(tmp_path, halving_epochs=60)
    longest = max(trial.result.seconds for trial in state.trials.values())
    assert 0.9 * TIME_SHARE * 600 <= longest <= TIME_SHARE * 600 + 5


def test_what_runs_at_the_end_is_packed_if_it_is_worth_it(tmp_path):
    state, seconds = played(tmp_path, halving_epochs=20)
    assert seconds <= 600 * 1.01
    last = [trial for trial in state.trials.values() if trial.result.reason == "the budget ends"]
    assert last and all(trial.status == "complete" and math.isfinite(state.score(trial)) for trial in last)
    assert state.front()


def test_an_epoch_that_takes_longer_than_expected_does_not_lose_its_network(tmp_path):
    state, seconds = played(tmp_path, halving_epochs=1, epoch_seconds=400.0)  # the budget ends in the second epoch
    assert seconds <= 600
    packed = [trial for trial in state.trials.values() if trial.is_packed]
    assert packed and all((trial.epochs, trial.result.reason) == (1, BUDGET_ENDS) for trial in packed)
    assert max(trial.result.seconds for trial in packed) > 580


def test_what_the_budget_affords_is_noted_once_the_first_training_has_timed_an_epoch(tmp_path):
    state, _ = played(tmp_path, halving_epochs=2, timed=0.0)
    (noted,) = [note for note in state.notes if "can train up to 400 epochs" in note.text]
    first = min(trial.reports[1].seconds for trial in state.trials.values() if trial.epochs > 1)
    assert noted.at <= 1000 + first + 5
    timed, _ = played(tmp_path / "timed", halving_epochs=2)
    assert sum("can train up to" in note.text for note in timed.notes) == 1
