"""A trial that was broken off goes on from its last rung, and ends as if it had not been."""

from __future__ import annotations

import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from lepton_automl import families
from lepton_automl.data.demo import digits
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.jobs import CONTINUE, Decision, TrialJob
from lepton_automl.pipelines.checkpoint import Checkpoint, CheckpointWriter
from lepton_automl.pipelines.trial import run_trial
from lepton_automl.plans import TrainPlan
from lepton_automl.study_store import CHECKPOINT
from tests.samples import trial_job


class Killed(BaseException):
    """What a kill looks like from inside."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    images, labels = digits()

    def prepared(folds: int):
        folder = tmp_path_factory.mktemp("data")
        return prepare((images[:400], labels[:400]), folder=folder, options=DataOptions(folds=folds))

    return prepared


def job_of(spec, folder, **changes) -> TrialJob:
    config = families.space_for(spec).defaults | {"prune.ratio": 0.3}
    job = trial_job(3, spec, folder, config=config, train=TrainPlan(epochs=6, seed=5), rungs=(2, 4))
    return job.replace(**changes)


def walked(job, *, killed_after: float = np.inf, stopped_at: int | None = None, late: Decision | None = None):
    """The reported epochs and seconds, and the result; None if the trial was interrupted.

    Args:
        job: The trial.
        killed_after: The epoch after which it is killed.
        stopped_at: The rung at which it is stopped.
        late: A decision that arrives in the middle of the epoch after the fourth.
    """
    epochs, seconds, steps = [], [], []

    def report(said):
        epochs.append(said.epoch)
        seconds.append(said.seconds)
        if said.epoch > killed_after:
            raise Killed
        return Decision(stop=True, reason="behind") if said.waits and said.epoch == stopped_at else CONTINUE

    def heartbeat() -> Decision:
        steps.append(epochs[-1:])
        return late if late and steps.count([4]) > 1 else CONTINUE

    try:
        return epochs, seconds, run_trial(job, report, heartbeat)
    except Killed:
        return epochs, seconds, None


def weights(job):
    return load_file(f"{job.folder}/bundle/model.safetensors")


@pytest.mark.parametrize(
    ("folds", "rungs", "killed_after", "again"),
    [
        (0, (2, 4), 0, [0, 1, 2, 3, 4, 5, 6]),  # in the first epoch: nothing was earned
        (0, (2, 4), 1, [2, 3, 4, 5, 6]),  # after pruning, before the first rung
        (0, (2, 4), 3, [3, 4, 5, 6]),
        (0, (2, 4), 5, [5, 6]),
        (2, (6, 12), 8, [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]),  # in the second fold, after its pruning
        (2, (6, 12), 15, [14, 15, 16, 17, 18]),  # in the refit, after its pruning
    ],
)
def test_an_interrupted_trial_resumes_from_its_last_rung_to_equal_weights(
    prepared, tmp_path, folds, rungs, killed_after, again
):
    spec = prepared(folds)
    whole, broken = (job_of(spec, tmp_path / name, rungs=rungs) for name in ("whole", "broken"))
    *_, expected = walked(whole)
    _, before, nothing = walked(broken, killed_after=killed_after)
    assert nothing is None
    epochs, after, result = walked(broken)
    assert epochs == again and result.epochs == expected.epochs and result.scores == expected.scores
    low, high = result.resampled.intervals["accuracy"]
    assert result.resampled == expected.resampled and len(result.resampled.drawn) == 200
    assert low <= result.scores["accuracy"] <= high and np.mean(result.resampled.drawn) == pytest.approx(
        result.scores["accuracy"], abs=0.01
    )
    assert all(np.array_equal(array, weights(broken)[name]) for name, array in weights(whole).items())
    assert killed_after == 0 or after[0] > before[epochs[0] - 1]  # the clock goes on where it stood


@pytest.mark.parametrize(("folds", "rungs", "again"), [(0, (2, 4), [3, 4, 5, 6]), (2, (6, 12), [7, 8, 9, 10, 11, 12])])
def test_a_stopped_trial_can_be_resumed_to_equal_weights(prepared, tmp_path, folds, rungs, again):
    spec = prepared(folds)
    whole, frozen = (job_of(spec, tmp_path / name, rungs=rungs) for name in ("whole", "frozen"))
    *_, expected = walked(whole)
    _, before, stopped = walked(frozen, stopped_at=rungs[0])
    assert stopped.status == "stopped" and stopped.epochs == rungs[0]
    epochs, after, result = walked(frozen)
    assert epochs[: len(again)] == again and result.scores == expected.scores and after[0] > before[-1]
    assert all(np.array_equal(array, weights(frozen)[name]) for name, array in weights(whole).items())


def test_a_decision_ends_a_trial_in_the_middle_of_an_epoch_with_its_best_weights(prepared, tmp_path):
    spec, enough = prepared(0), Decision(stop=True, status="complete", reason="the budget ends")
    at_rung, in_epoch, dropped = (job_of(spec, tmp_path / name) for name in ("at_rung", "in_epoch", "dropped"))
    at_rung = at_rung.replace(train=at_rung.train.replace(epochs=4))
    *_, expected = walked(at_rung)
    epochs, _, result = walked(in_epoch, late=enough)
    assert epochs[-1] == 4 and (result.status, result.epochs, result.reason) == ("complete", 4, enough.reason)
    assert result.scores == expected.scores
    *_, nothing = walked(dropped, late=Decision(stop=True, reason="stopped by the user"))
    assert (nothing.status, nothing.folder, nothing.reason) == ("stopped", "", "stopped by the user")


def test_a_decision_before_the_first_step_ends_a_trial_without_a_model(prepared, tmp_path):
    decision = Decision(stop=True, status="complete", reason="the budget ends")
    result = run_trial(job_of(prepared(0), tmp_path), lambda _: CONTINUE, lambda: decision)
    assert result.status == "stopped" and not result.folder


def test_a_checkpoint_is_complete_or_absent(tmp_path, prepared):
    job = job_of(prepared(0), tmp_path)
    keeper = CheckpointWriter(job)
    arrays = {f"model.{n}": np.full((64, 64), float(n), np.float32) for n in range(40)} | {"n": np.array(7)}
    keeper.write(Checkpoint(arrays=arrays, info={"epochs": 4, "least": float("inf")}))
    kept = keeper.read()
    assert kept.info == {"epochs": 4, "least": float("inf")} and kept.arrays["n"].shape == ()
    assert CheckpointWriter(job.replace(uid="another")).read() is None
    content = (tmp_path / CHECKPOINT).read_bytes()
    for cut in (0, 4, 100, len(content) // 2):
        (tmp_path / CHECKPOINT).write_bytes(content[:cut])
        assert keeper.read() is None
    began = time.perf_counter()
    for _ in range(20):
        keeper.write(Checkpoint(arrays=arrays))
    assert time.perf_counter() - began < 20 * 0.5  # 650 KB; a few milliseconds each on a quiet machine
