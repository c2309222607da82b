"""Real studies that share a machine, and workers that are stopped from outside; minutes long."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from lepton_automl import AutoML, Budget
from lepton_automl.data.demo import digits
from lepton_automl.events import StudyPaused
from lepton_automl.study.study import Study
from lepton_automl.study_store import StudyStore
from tests import samples
from tests.api.test_import_and_arguments import lepton

PATIENCE = 300.0  # seconds, on a machine with other work
pytestmark = pytest.mark.slow


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Launches searches on a machine of one core, each in a home of its own; killed with the test."""
    monkeypatch.setenv("LEPTON_CORES", "1")
    monkeypatch.setenv("LEPTON_LOCKS", str(tmp_path / "locks"))
    images, labels = digits()
    launched = []

    def start(name: str, **more: object) -> Study:
        asked = {"budget": Budget(minutes=30), "hyperparameters": {"model.width": 8, "model.depth1": 1}, **more}
        automl = AutoML(name=name, home=tmp_path / f"home-{name}", progress=False, **asked)
        launched.append(automl.fit(images[:300], labels[:300], folds=0, wait=False))
        return launched[-1]

    yield start
    for study in launched:
        if study.home.running(study.name):
            pid = study.home.process_info(study.name)["pid"]
            os.kill(pid, signal.SIGKILL)
            samples.until(lambda one=study: not one.home.running(one.name), "it cannot be killed", seconds=60)


def trials(study: Study) -> int:
    """Trials that a study has begun."""
    return len(study.state.trials) if (study.folder / "journal.jsonl").exists() else 0


def workers(study: Study) -> list[int]:
    """The worker processes of a search; one that is forked and not yet a worker blocks its parent, and is not among them."""
    pid = study.home.search_pid(study.name)
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in children if b"execution.worker" in Path(f"/proc/{child}/cmdline").read_bytes()]
    except FileNotFoundError:
        return []


def cpu_seconds(pids: list[int]) -> float:
    """What processes have worked so far."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def test_a_second_study_waits_behind_the_first_and_gets_its_turn(launch):
    first = launch("first")
    samples.until(lambda: trials(first) > 0, "the first does not begin", seconds=PATIENCE)
    second = launch("second")
    samples.until(
        lambda: "behind 'first'" in second.home.process_info("second").get("trouble", ""), "it does not wait", seconds=PATIENCE
    )
    assert "starting, waiting for a free core, behind 'first'" in lepton("status", "second", home=second.home.folder)
    samples.until(lambda: trials(second) > 0, "the second never gets the core", seconds=PATIENCE)
    samples.until(lambda: first.state.paused is not None, "the first does not give it up", seconds=PATIENCE)
    assert "paused: waiting for a free core, behind 'second'" in lepton("status", "first", home=first.home.folder)
    began = second.state.started.at
    assert began > second.state.commands[0].at if second.state.commands else True
    spent = first.state.spent(time.time())
    second.pause()
    samples.until(lambda: first.state.paused is None, "a study that is paused keeps the core", seconds=PATIENCE)
    assert first.state.spent(time.time()) < spent + 60 and first.state.idle > 0
    first.stop()  # one that works, and one that is stopped
    assert first.client.is_published
    second.stop(wait=False)
    second.wait()
    assert second.state.ended


def test_the_slots_of_a_search_that_was_stopped_are_taken_over(launch):
    first = launch("first")
    samples.until(lambda: trials(first) > 0, "the first does not begin", seconds=PATIENCE)
    pid = first.home.search_pid("first")
    second = launch("second")
    os.kill(pid, signal.SIGSTOP)
    try:
        samples.until(lambda: trials(second) > 0, "its slot is not taken over", seconds=PATIENCE)
        before = cpu_seconds(workers(first))
        time.sleep(5)
        assert cpu_seconds(workers(first)) < before + 1  # its workers stop, too
    finally:
        os.kill(pid, signal.SIGCONT)
    samples.until(lambda: first.state.paused is not None or second.state.paused is not None, "both work", seconds=PATIENCE)
    events = [event for _, event in StudyStore(first.home.folder).journal("first").read() if isinstance(event, StudyPaused)]
    assert all("waiting for a free core" in event.reason for event in events)


def test_a_worker_stopped_at_its_start_blocks_nothing(launch):
    study = launch("only")
    samples.until(lambda: workers(study), "no worker was started", seconds=PATIENCE)
    stopped = workers(study)[0]
    os.kill(stopped, signal.SIGSTOP)
    began = time.monotonic()
    study.pause()
    study.resume()
    assert time.monotonic() - began < 30  # seconds in which a busy machine answers; it was blocked beyond the budget
    samples.until(lambda: trials(study) > 0, "it never begins", seconds=PATIENCE)
    study.stop()


def test_too_many_workers_are_limited_with_a_reason(launch):
    study = launch("many", workers=100_000)
    samples.until(lambda: trials(study) > 0, "it does not begin", seconds=PATIENCE)
    assert len(workers(study)) == 1 and study.state.settings.workers == 1
    assert any("100000 workers were requested, and 1 is used: there is 1 core" in note.text for note in study.state.notes)
    study.stop()
