"""Every executor keeps the contract that is shipped for plug-in authors."""

from __future__ import annotations

from lepton_automl.execution.executor import Place
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.execution.simulated import Recording, SimulatedExecutor
from lepton_automl.testing.executor import EPOCH_SECONDS, SCRIPTED, ExecutorContract, profile, scores
from tests.samples import benchmarked_host


class TestLocal(ExecutorContract):
    def start(self, slots, folder):
        return LocalExecutor(slots, folder / "workers", trial_function=SCRIPTED)


class TestSimulated(ExecutorContract):
    def start(self, slots, folder):
        return SimulatedExecutor(slots, played, benchmarked_host())

    def lose_place(self, executor):
        executor.change_places(executor.now(), [Place(id="another", host="elsewhere")])


def played(job) -> Recording:
    """What the script would do."""
    curve = tuple(scores(job, epoch + 1) for epoch in range(job.train.epochs))
    failure = "it was scripted to fail" if job.config["fails"] else ""
    return Recording(
        profile=profile(), curve=curve, epoch_seconds=EPOCH_SECONDS, final=scores(job, len(curve)), failure=failure
    )
