"""Every executor keeps the contract that is shipped for plug-in authors."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lepton_automl import AutoML, plugins
from lepton_automl.errors import ConfigError
from lepton_automl.execution.executor import ExecutorSettings, Place, name_of_executor, start_executor
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


@dataclass(frozen=True, kw_only=True)
class Recorded(ExecutorSettings):
    seconds: float = 1.0
    load: object = None

    def __call__(self, slots, folder, *, threads=1, name=""):
        return SimulatedExecutor(slots, played, benchmarked_host(), began=self.seconds)


def test_an_executor_is_given_by_its_settings_and_kept_as_json(tmp_path, monkeypatch):
    assert name_of_executor("local") == "local"
    with pytest.raises(ConfigError, match=r"Recorded is not a plug-in.*again when it is resumed"):
        AutoML(executor=Recorded(), home=tmp_path)
    monkeypatch.setitem(plugins.BUILT_IN["executors"], "recorded", f"{__name__}:Recorded")
    plugins.forget()
    try:
        assert name_of_executor(Recorded(seconds=3.0)) == "recorded"
        assert start_executor("recorded", 1, tmp_path, settings=Recorded(seconds=3.0).to_json()).now() == 3.0
        assert start_executor("recorded", 1, tmp_path).now() == 1.0
        with pytest.raises(ConfigError, match="cannot be stored as JSON"):
            AutoML(executor=Recorded(load=object()), home=tmp_path)
        with pytest.raises(ConfigError, match="could not start again"):
            AutoML(executor=Recorded()(1, tmp_path), home=tmp_path)
    finally:
        monkeypatch.undo()
        plugins.forget()


def played(job) -> Recording:
    """What the script would do."""
    curve = tuple(scores(job, epoch + 1) for epoch in range(job.train.epochs))
    failure = "it was scripted to fail" if job.config["fails"] else ""
    return Recording(
        profile=profile(), curve=curve, epoch_seconds=EPOCH_SECONDS, final=scores(job, len(curve)), failure=failure
    )
