"""Real worker processes: they live across trials, and their deaths are noticed."""

from __future__ import annotations

import os
import signal
import time

import pytest

from lepton_automl.errors import LeptonError
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.values import LeanPlan, Report, ScoreJob, Target, TrainPlan, TrialJob, TrialResult

from .samples import image_spec


@pytest.fixture
def executor(tmp_path):
    executor = LocalExecutor(1, tmp_path / "workers")
    yield executor
    executor.close()


def job(trial: int, folder: object) -> TrialJob:
    return TrialJob(
        trial=trial,
        uid=str(trial),
        config={},
        data=image_spec().replace(folder=str(folder)),
        target=Target(),
        train=TrainPlan(),
        lean=LeanPlan(),
        metric="accuracy",
        folder=str(folder),
        gate="",
    )


def result_of(executor: LocalExecutor, seconds: float = 90) -> TrialResult:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for message in executor.poll(1.0):
            if isinstance(message, TrialResult):
                return message
            assert isinstance(message, Report)
    raise AssertionError("no result came")


def test_a_trial_that_fails_says_why_and_its_worker_takes_the_next(executor, tmp_path):
    process = executor._seats[0].process.pid
    for trial in range(2):
        executor.submit(job(trial, tmp_path / "nothing"))
        result = result_of(executor)
        assert result.trial == trial and result.status == "failed"
        assert "Traceback" in result.traceback and result.reason
    assert executor._seats[0].process.pid == process


def test_a_killed_worker_fails_its_trial_and_is_replaced(executor, tmp_path):
    executor.submit(job(7, tmp_path / "nothing"))
    os.kill(executor._seats[0].process.pid, signal.SIGKILL)
    result = result_of(executor)
    assert result.trial == 7 and result.status == "failed" and "SIGKILL" in result.reason
    executor.submit(job(8, tmp_path / "nothing"))
    assert result_of(executor).trial == 8


def test_an_errand_that_fails_raises_where_it_was_sent_from(executor, tmp_path):
    with pytest.raises(LeptonError, match="worker"):
        executor.run(ScoreJob(data=image_spec().replace(folder=str(tmp_path)), bundles={0: str(tmp_path)}))


def test_workers_die_with_the_search(tmp_path):
    executor = LocalExecutor(1, tmp_path / "workers")
    process = executor._seats[0].process
    executor._seats[0].channel.close()
    assert process.wait(timeout=60) == 0
    executor._seats[0].log.close()
