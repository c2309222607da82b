"""How the time after the search is shared among the models of the front."""

from __future__ import annotations

import math

import pytest

from lepton_automl.errors import StudyError
from lepton_automl.jobs import AccelerateJob
from lepton_automl.specs import Budget
from lepton_automl.study import refit_plan
from lepton_automl.study.post_search import GUESS, IMPORTANCE, LOOK, FinalistAccelerator
from lepton_automl.study.refit_plan import ASSEMBLY, fitting, refit_room, refit_seconds
from tests.samples import trial_job


class Slow:
    """An executor whose requests take their time and fail."""

    def __init__(self, seconds):
        self.clock, self.seconds, self.requests = 0.0, seconds, []

    def now(self):
        return self.clock

    def run(self, request, on_tick):
        self.clock += self.seconds
        self.requests.append(request)
        on_tick()
        raise StudyError("it failed", where="worker")


def accelerator(state, tmp_path, seconds=1.0, **options):
    executor = Slow(seconds)

    def job(trial):
        return trial_job(trial.number, state.settings.data, tmp_path)

    return FinalistAccelerator(state, executor, job, **options), executor


def test_more_time_is_reserved_for_slow_networks(study_state, tmp_path):
    quick, slow = (accelerator(study_state([(0.9, latency_ms)]), tmp_path)[0].seconds() for latency_ms in (0.001, 10.0))
    assert quick < 10.0 < slow


def test_the_chosen_model_may_use_the_time_that_the_others_leave(study_state, tmp_path):
    finish, executor = accelerator(study_state([(0.9, 0.01), (0.7, 0.001)]), tmp_path)
    events = list(finish(lambda: None, lambda: 60.0))
    first, second = (request.seconds for request in executor.requests if isinstance(request, AccelerateJob))
    assert 50.0 < first < 60.0 - LOOK and second == pytest.approx(59.0 - LOOK)
    assert ["stays in float32: it failed" in event.text for event in events[:2]] == [True, True]


def test_without_a_deadline_an_acceleration_has_no_limit(study_state, tmp_path):
    finish, executor = accelerator(study_state([(0.9, 0.01)]), tmp_path)
    list(finish(lambda: None, lambda: None))
    assert executor.requests[0].seconds is None


def test_a_model_stays_in_float32_if_too_little_time_is_left(study_state, tmp_path):
    state = study_state([(0.9, 10.0)])
    finish, executor = accelerator(state, tmp_path)
    list(finish(lambda: None, lambda: finish.seconds() - LOOK - IMPORTANCE))
    assert not any(isinstance(request, AccelerateJob) for request in executor.requests)
    assert state.front()[0].accelerated is None


def test_a_short_budget_reserves_nothing_for_what_it_has_no_room_for(study_state, tmp_path):
    short, long = (study_state([(0.9, 0.01)], budget=Budget(minutes=minutes)) for minutes in (0.2, 2))
    assert accelerator(short, tmp_path)[0].seconds() == LOOK + IMPORTANCE
    assert accelerator(long, tmp_path)[0].seconds() > GUESS + LOOK + IMPORTANCE
    assert accelerator(short, tmp_path, chosen_only=True)[0].seconds() == 0.0


def test_what_is_not_kept_is_neither_accelerated_nor_measured(study_state, tmp_path):
    finish, executor = accelerator(study_state([(0.9, 0.01), (0.7, 0.001)]), tmp_path, chosen_only=True)
    list(finish(lambda: None, lambda: 60.0))
    assert [type(request) for request in executor.requests] == [AccelerateJob]


def test_no_time_is_reserved_for_a_refit_that_does_not_fit(study_state):
    state = study_state([(0.9, 0.01)], budget=Budget(minutes=2), refit="auto")
    assert 10.0 < refit_room(state) < 30.0
    assert refit_room(study_state([(0.9, 0.01)], budget=Budget(trials=2))) == math.inf


def test_networks_of_an_ensemble_are_trained_again_as_far_as_there_is_time(study_state, monkeypatch):
    state = study_state([(0.9, 0.01), (0.8, 0.001), (0.7, 0.0001)], workers=2)
    trials = list(state.trials.values())
    monkeypatch.setattr(refit_plan, "_retrain_seconds", lambda _, trial: 10.0 + trial.number)
    seconds = [refit_seconds(state, trials[:count]) for count in (1, 2, 3)]
    assert seconds == [10.0 + ASSEMBLY, 11.0 + ASSEMBLY, 22.0 + ASSEMBLY]
    assert fitting(state, trials, 25.0) == trials and fitting(state, trials, 15.0) == trials[:2]
    assert (
        fitting(state, trials[::-1], 11.5 + ASSEMBLY) == trials[1::-1]
        and fitting(state, trials[::-1], 10.5 + ASSEMBLY) == trials[:1]
    )
    assert fitting(state, trials, 9.0) == []
