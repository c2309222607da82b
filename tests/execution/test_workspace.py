"""A trial ends the same wherever the study's files lie."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from lepton_automl import families
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.deployment.integrity import read_bundle
from lepton_automl.errors import StudyError
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.execution.transfer import place_contents
from lepton_automl.execution.worker import Worker
from lepton_automl.jobs import AccelerateJob, AccelerationResult, Decision, Report, ScoreJob, TrialJob, TrialResult
from lepton_automl.plans import PrunePlan, TrainPlan
from lepton_automl.study_store import CHECKPOINT
from lepton_automl.testing import executor as contract
from lepton_automl.testing.workspace import WorkspaceContract
from lepton_automl.workspace import LocalWorkspace, Ref, content_digest
from tests.execution.copying_workspace import CopyingWorkspace
from tests.samples import trial_job


def copying(folder: Path) -> CopyingWorkspace:
    elsewhere = folder / "elsewhere"
    return CopyingWorkspace(
        folder / "study", folder / "store", folder / "copies", worker=(elsewhere / "study", elsewhere / "copies")
    )


class TestLocal(WorkspaceContract):
    def open(self, folder):
        return LocalWorkspace(folder)


class TestCopying(WorkspaceContract):
    def open(self, folder):
        return copying(folder)


def test_a_digest_is_that_of_names_and_contents(tmp_path):
    digests = set()
    for number, files in enumerate(({"a": "1", "b/c": "2"}, {"a": "1", "b/d": "2"}, {"a": "1", "b/c": "3"}, {"a": "1b/c2"})):
        for name, text in files.items():
            path = tmp_path / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        digests.add(content_digest(tmp_path / str(number)))
    assert len(digests) == 4
    (tmp_path / "0").rename(tmp_path / "moved")
    assert content_digest(tmp_path / "moved") in digests


def test_nothing_is_brought_to_a_place_outside_of_the_study(tmp_path):
    workspace = LocalWorkspace(tmp_path / "study")
    for path in ("../journal", str(tmp_path / "journal"), "trials/../../journal"):
        with pytest.raises(StudyError, match="outside of the study"):
            place_contents((Ref(digest="0", path=path),), workspace)


def test_content_that_a_worker_cannot_find_is_not_the_fault_of_the_candidate(tmp_path):
    job = contract.job(0, tmp_path)
    lost = job.replace(data=job.data.replace(folder=str(Ref(digest="0", path="nothing"))))
    result = Worker(None, contract.scripted, LocalWorkspace(tmp_path))._try(lost)
    assert (result.status, result.fault) == ("failed", "worker") and "is gone" in result.reason


def jobs(study: Path) -> tuple[TrialJob, TrialJob]:
    """A trial, and one that inherits its weights."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(240, 4))
    targets = (rows[:, 0] > rows[:, 1]).astype(int)
    spec = prepare((rows.tolist(), targets.tolist()), study / "data", DataOptions(folds=0))
    space, plan = families.space_for(spec), PrunePlan()
    config = space.defaults
    parent = trial_job(
        0, spec, study / "trials" / "00000", config=config, train=TrainPlan(epochs=4, seed=5), prune=plan, rungs=(2,)
    )
    child = parent.replace(
        trial=1,
        uid="one",
        config=families.children(config, space, spec, plan)[0],
        parent=f"{parent.folder}/bundle",
        folder=str(study / "trials" / "00001"),
    )
    return parent, child


def run(executor: LocalExecutor, job: TrialJob, stop_at: int | None = None) -> tuple[list[int], TrialResult]:
    """The epochs that are reported, and the result."""
    executor.submit(job)
    epochs = []
    while True:
        for message in executor.poll(1.0):
            if isinstance(message, TrialResult):
                return epochs, message
            assert isinstance(message, Report)
            epochs.append(message.epoch)
            if message.waits:
                executor.decide(message.trial, Decision(stop=message.epoch == stop_at, reason="behind"))


@pytest.mark.slow
def test_a_trial_its_child_and_a_resumed_one_end_the_same_on_a_machine_that_does_not_see_the_study(tmp_path):
    results = {}
    for place in ("here", "there"):
        folder = tmp_path / place
        workspace = copying(folder) if place == "there" else LocalWorkspace(folder / "study")
        parent, child = jobs(workspace.folder)
        with closing(LocalExecutor(1, workspace.folder / "workers", workspace=workspace)) as executor:
            if place == "there":
                epochs, stopped = run(executor, parent, stop_at=2)
                assert (stopped.status, epochs) == ("stopped", [0, 1, 2])
                assert (Path(parent.folder) / CHECKPOINT).is_file()
                (folder / "elsewhere" / "study" / "trials" / "00000" / CHECKPOINT).unlink()  # as on a third machine
            epochs, trained = run(executor, parent)
            assert epochs == ([3, 4] if place == "there" else [0, 1, 2, 3, 4])
            _, inherited = run(executor, child)
            for job, result in ((parent, trained), (child, inherited)):
                assert (result.status, result.folder) == ("complete", f"{job.folder}/bundle"), result.traceback
            bundles = {0: trained.folder, 1: inherited.folder}
            scored = executor.run(ScoreJob(data=parent.data, bundles=bundles)).scores
            if place == "there":  # the model is packed anew in its folder
                result = executor.run(AccelerateJob(job=parent, scores=trained.scores))
                assert isinstance(result, AccelerationResult)
                read_bundle(Path(trained.folder))  # all of it arrived
                packed = folder / "elsewhere" / "study" / "trials" / "00000" / "bundle"
                assert content_digest(packed) == content_digest(Path(trained.folder))
        weights = [load_file(f"{path}/model.safetensors") for path in bundles.values()]
        results[place] = (trained.scores, inherited.scores, trained.recipe, inherited.recipe, scored), weights
    assert results["here"][0] == results["there"][0]
    assert results["here"][0][2] != results["here"][0][3]  # the child is smaller
    for ours, theirs in zip(results["here"][1], results["there"][1], strict=True):
        assert all(np.array_equal(array, theirs[name]) for name, array in ours.items())
    got = (tmp_path / "there" / "elsewhere" / "copies" / "log").read_text().split()
    assert parent.data.digest in got and len(got) == len(set(got))
