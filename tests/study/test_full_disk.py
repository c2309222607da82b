"""A full or read-only disk: the study waits, reports why, and continues by itself."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from contextlib import closing

import pytest

from lepton_automl.events import HostBenchmarked, Noted, StudyPaused, StudyResumed, StudyStarted, TrialEnded
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.journal import Journal
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import Budget
from lepton_automl.state import StudyState
from lepton_automl.study.runner import search
from lepton_automl.study.study import Study
from lepton_automl.study_store import StudyStore, write_problem
from lepton_automl.testing.executor import SCRIPTED
from tests import samples
from tests.samples import benchmarked_host, config

from .test_stopping import PATIENCE, lepton


@pytest.fixture
def disk(tmp_path, request):
    """A disk of 12 megabytes, or as many as a test asks for; yields its folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = getattr(request, "param", "12m")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("a disk of its own can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(file, left=0):
    """Fill a disk except for some bytes."""
    free = os.statvfs(file.parent)
    file.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - left)))


def begun(folder, trials=2):
    """A study whose host was benchmarked, so that nothing needs to be measured."""
    study = StudyStore(folder / "mlruns").create("sample")
    asked = config(budget=Budget(trials=2), workers=1, train=TrainPlan(epochs=4))
    journal = Journal(study / "journal.jsonl")
    journal.append(StudyStarted(at=1.0, config=asked.replace(budget=Budget(trials=trials))))
    journal.append(HostBenchmarked(at=2.0, benchmark=benchmarked_host(), epochs=4))
    return study, asked


def searched(study, asked, announce, trial_function="tests.faulty_trials:keep"):
    told = []

    def hear(event):
        told.append(event)
        announce(event)

    with closing(LocalExecutor(1, study / "workers", trial_function=trial_function)) as executor:
        return search(asked, study, executor, hear), told


def test_a_full_disk_pauses_a_study_until_there_is_space(disk):
    study, asked = begun(disk)
    filler = study / "filler"
    fill(filler, left=200_000)

    def make_room(event):
        if isinstance(event, StudyPaused):
            assert "No space left on device" in event.reason and str(study) in event.reason
            assert "It resumes by itself once there is free disk space" in event.reason
            filler.unlink()

    state, told = searched(study, asked, make_room)
    assert [trial.status for trial in state.trials.values()] == ["complete"] * 2
    assert all(trial.retries == 0 for trial in state.trials.values())  # it was not their fault
    assert [type(one) for one in told if isinstance(one, StudyPaused | StudyResumed)] == [StudyPaused, StudyResumed]
    assert state.idle >= 2.0 and not list(study.glob("trials/*/checkpoint*")) and not list(study.glob("room-*"))


def test_a_journal_that_cannot_be_written_pauses_everything(disk):
    study, asked = begun(disk, trials=30)
    filler = study / "filler"

    def spoil(event):
        if isinstance(event, Noted):
            assert "cannot write the journal: No space left on device" in event.text and "What to do" in event.text
            filler.unlink()
        elif isinstance(event, TrialEnded) and event.result.trial == 0:
            fill(filler)

    state, told = searched(study, asked, spoil, trial_function=SCRIPTED)
    assert [trial.status for trial in state.trials.values()] == ["complete"] * 30
    assert sum(isinstance(one, Noted) for one in told) == 1 and not filler.exists()
    assert StudyState.replay(Journal(study / "journal.jsonl")) == state


@pytest.mark.slow
@pytest.mark.parametrize("disk", ["96m"], indirect=True)
def test_a_search_that_waits_for_disk_space_can_be_stopped_and_resumed(disk):
    table, home = disk / "rows.csv", disk / "home"
    table.write_text("a,b,y\n" + "".join(f"{n % 37},{n % 11},{'high' if n % 37 > 18 else 'low'}\n" for n in range(300)))
    words = ("search", str(table), "--target", "y", "--minutes", "30", "--workers", "1", "--detach", "--name", "one")
    lepton(*words, home=home)
    study, filler = Study("one", home), disk / "filler"
    try:
        samples.until(lambda: begun_well(study), "no model was ready", seconds=PATIENCE)
        samples.until(lambda: full(study, filler), "it does not notice the full disk", seconds=PATIENCE)
        output = lepton("stop", "one", home=home, fails=True)
        assert "lepton resume one" in output and "Traceback" not in output
        assert not study.home.running("one") and study.state.ended is None
        filler.unlink()
        lepton("resume", "one", home=home)
        lepton("stop", "one", home=home)
        assert study.client.is_published and not study.state.running
    finally:
        if pid := study.home.search_pid("one"):
            os.kill(pid, signal.SIGKILL)


def begun_well(study):
    """Whether a model is ready."""
    return (study.folder / "journal.jsonl").exists() and bool(study.state.front())


def full(study, filler):
    """Whether a search reports that it cannot write; fills all space that has become free meanwhile."""
    with contextlib.suppress(OSError), filler.open("ab") as file:
        free = os.statvfs(filler.parent)
        file.write(bytes(free.f_bavail * free.f_frsize))
    return "cannot write the journal" in study.home.process_info(study.name).get("trouble", "")


def test_a_folder_without_write_permission_is_an_error(disk):
    assert write_problem(disk) == ""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert write_problem(disk) == f"{disk} cannot be written: Read-only file system"
