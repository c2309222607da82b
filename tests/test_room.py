"""A disk that is full or may not be written: the study waits, says why, and goes on by itself."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing

import pytest

from lepton_automl.events import HostWeighed, Noted, StudyPaused, StudyResumed, StudyStarted, TrialEnded
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.home import Home, lacks
from lepton_automl.journal import Journal
from lepton_automl.service.run import search
from lepton_automl.state import StudyState
from lepton_automl.testing.executor import SCRIPTED
from lepton_automl.values import Budget, TrainPlan

from .samples import config, weighed


@pytest.fixture
def disk(tmp_path):
    """A disk of 12 megabytes; yields its folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(folder)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("a disk of its own can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(file, left=0):
    """Take all room of a disk but so many bytes."""
    free = os.statvfs(file.parent)
    file.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - left)))


def begun(folder, trials=2):
    """A study whose host was weighed, so that no network needs to be."""
    study = Home(folder / "mlruns").create("sample")
    asked = config(budget=Budget(trials=2), workers=1, train=TrainPlan(epochs=4))
    journal = Journal(study / "journal.jsonl")
    journal.append(StudyStarted(at=1.0, config=asked.replace(budget=Budget(trials=trials))))
    journal.append(HostWeighed(at=2.0, weighed=weighed(), epochs=4))
    return study, asked


def searched(study, asked, announce, walk="tests.walks:keep"):
    told = []

    def hear(event):
        told.append(event)
        announce(event)

    with closing(LocalExecutor(1, study / "workers", walk=walk)) as executor:
        return search(asked, study, executor, hear), told


def test_a_full_disk_pauses_a_study_until_there_is_room(disk):
    study, asked = begun(disk)
    filler = study / "filler"
    fill(filler, left=200_000)

    def make_room(event):
        if isinstance(event, StudyPaused):
            assert "No space left on device" in event.reason and str(study) in event.reason
            assert "goes on by itself once there is room" in event.reason
            filler.unlink()

    state, told = searched(study, asked, make_room)
    assert [trial.status for trial in state.trials.values()] == ["complete"] * 2
    assert all(trial.retries == 0 for trial in state.trials.values())  # it was not their fault
    assert [type(one) for one in told if isinstance(one, StudyPaused | StudyResumed)] == [StudyPaused, StudyResumed]
    assert state.idle >= 2.0 and not list(study.glob("trials/*/checkpoint*")) and not list(study.glob("room-*"))


def test_a_journal_that_cannot_be_written_holds_everything(disk):
    study, asked = begun(disk, trials=30)
    filler = study / "filler"

    def spoil(event):
        if isinstance(event, Noted):
            assert "cannot write the journal: No space left on device" in event.text and "What to do" in event.text
            filler.unlink()
        elif isinstance(event, TrialEnded) and event.result.trial == 0:
            fill(filler)

    state, told = searched(study, asked, spoil, walk=SCRIPTED)
    assert [trial.status for trial in state.trials.values()] == ["complete"] * 30
    assert sum(isinstance(one, Noted) for one in told) == 1 and not filler.exists()
    assert StudyState.replay(Journal(study / "journal.jsonl")) == state


def test_a_folder_that_may_not_be_written_is_told_so(disk):
    assert lacks(disk) == ""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert lacks(disk) == f"{disk} cannot be written: Read-only file system"
