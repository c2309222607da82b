"""Locks that all studies of a user share: the lock for measuring, and a slot for each core."""

from __future__ import annotations

import math
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from lepton_automl.errors import StudyError
from lepton_automl.events import StudyPaused, StudyResumed
from lepton_automl.execution import capacity
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.execution.simulated import Recording, SimulatedExecutor
from lepton_automl.execution.slots import Claim, Slots, shares
from lepton_automl.jobs import CONTINUE, Report, TrialResult
from lepton_automl.journal import Journal
from lepton_automl.locks import is_stopped, lock_folder, measurement_lock_path, started
from lepton_automl.measurement_lock import MeasurementLock
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import Budget
from lepton_automl.study.commands import command
from lepton_automl.study.runner import search
from lepton_automl.study_store import StudyStore
from lepton_automl.testing import executor as contract
from tests import samples

HOLD_GATE = """
import sys, time
from lepton_automl.measurement_lock import MeasurementLock
measurement_lock = MeasurementLock(sys.argv[1])
with measurement_lock.held():
    print("held", flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def other():
    """Starts a script of another process, which has printed a line when this returns; ended with the test."""
    begun = []

    def start(script: str, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", script, *words], stdout=subprocess.PIPE, text=True)
        begun.append(process)
        assert process.stdout.readline().strip()
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def test_the_lock_folder_is_private_and_outside_any_home(tmp_path, monkeypatch):
    monkeypatch.setenv("LEPTON_LOCKS", str(tmp_path / "given"))
    assert lock_folder() == tmp_path / "given" and stat.S_IMODE(lock_folder().stat().st_mode) == 0o700
    assert Path(measurement_lock_path()).parent == lock_folder()
    monkeypatch.delenv("LEPTON_LOCKS")
    for name in ("XDG_RUNTIME_DIR", "TMPDIR", "LEPTON_HOME"):
        before = lock_folder()
        monkeypatch.setenv(name, str(tmp_path))
        assert lock_folder() == before
    monkeypatch.setattr(os, "getuid", lambda: 123456789)  # the folder is made by another, as far as can be seen
    try:
        with pytest.raises(StudyError, match="belongs to another user"):
            lock_folder()
    finally:
        Path("/tmp/lepton-123456789").rmdir()


def test_a_measurement_waits_for_the_batch_in_hand_and_holds_the_next(tmp_path):
    path, told = str(tmp_path / "gate"), []
    batch = threading.Event()

    def compute():
        measurement_lock = MeasurementLock(path)
        measurement_lock.wait()
        batch.set()
        time.sleep(0.3)
        told.append("batch")
        measurement_lock.wait()
        told.append("next batch")
        measurement_lock.close()

    worker = threading.Thread(target=compute)
    worker.start()
    batch.wait()
    measurer = MeasurementLock(path)
    with measurer.held():
        told.append("measured")
        assert measurer.try_acquire()
        time.sleep(1.3)  # longer than a worker once waited
        told.append("done")
    worker.join()
    assert told == ["batch", "measured", "done", "next batch"]
    assert [file.name for file in tmp_path.iterdir()] == ["gate"]


def test_a_worker_that_left_the_lock_is_not_waited_for(tmp_path):
    measurement_lock, measurer = MeasurementLock(str(tmp_path / "gate")), MeasurementLock(str(tmp_path / "gate"))
    measurement_lock.wait()
    began = time.monotonic()
    with measurer.held():
        waited = time.monotonic() - began
    measurement_lock.wait()
    measurement_lock.leave()
    began = time.monotonic()
    with measurer.held():
        assert time.monotonic() - began < waited / 2
    measurement_lock.close()


def test_the_lock_is_taken_from_a_process_stopped_while_measuring(tmp_path, other):
    path = str(tmp_path / "gate")
    holder = other(HOLD_GATE, path)
    measurement_lock = MeasurementLock(path)
    assert measurement_lock.holder == holder.pid and not measurement_lock.try_acquire()
    with measurement_lock.held(patience=0.1):
        assert measurement_lock.holder == holder.pid  # it goes on without
    holder.send_signal(signal.SIGSTOP)
    samples.until(lambda: is_stopped(holder.pid), "it does not stop", seconds=30)
    third = MeasurementLock(path)
    with measurement_lock.held():
        assert third.holder == os.getpid()
    third.wait()
    holder.send_signal(signal.SIGCONT)
    assert third.holder is None and started(holder.pid) and not started(2**22 + 1)
    third.close()


# Slots


def claim(name, want, have=0, since=0.0) -> Claim:
    return Claim(token=name, name=name, want=want, have=have, since=since)


@pytest.mark.parametrize(
    ("slots", "claims", "found"),
    [
        (2, [claim("a", 2)], {"a": 2}),
        (16, [claim("a", 16, 16), claim("b", 16)], {"a": 8, "b": 8}),
        (4, [claim("a", 4, 4), claim("b", 1)], {"a": 3, "b": 1}),
        (3, [claim("a", 3, 3, since=100), claim("b", 3)], {"a": 2, "b": 1}),  # it holds some, and its turn lasts
        (2, [claim("a", 2, 2), claim("b", 0), claim("c", 1)], {"a": 1, "c": 1}),  # who wants nothing has no share
        (1, [claim("a", 1, 1, since=90), claim("b", 1)], {"a": 1, "b": 0}),  # a turn lasts a while
        (1, [claim("a", 1, 1, since=30), claim("b", 1, since=60), claim("c", 1, since=50)], {"a": 0, "b": 0, "c": 1}),
        (2, [claim("a", 2, 1), claim("b", 2, 1, since=20), claim("c", 2, since=40)], {"a": 0, "b": 1, "c": 1}),
        (2, [], {}),
    ],
)
def test_slots_are_shared_evenly_and_in_turns(slots, claims, found):
    assert shares(slots, claims, now=100.0) == found
    assert shares(slots, claims[::-1], now=100.0) == found  # all studies come to the same answer


def test_every_study_gets_its_turn():
    claims = {name: claim(name, 2) for name in "abcde"}
    had, now = dict.fromkeys(claims, 0), 0.0
    for _ in range(600):
        now += 10
        found = shares(2, list(claims.values()), now)
        assert sum(found.values()) == 2
        for name, one in claims.items():
            had[name] += found[name]
            since = now if bool(found[name]) != bool(one.have) else one.since
            claims[name] = claim(name, 2, found[name], since)
    assert min(had.values()) > 0.5 * max(had.values())  # studies that start to wait at the same time are ordered by name


@pytest.fixture
def seats(tmp_path):
    """Makes studies' slots of a machine; given back with the test."""
    made = []

    def make(name: str, slots: int = 2, **more: float) -> Slots:
        made.append(Slots(name, folder=tmp_path, slots=slots, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def look(*all_of_them: Slots) -> None:
    """Let studies look at one another as their searches do; each gives back at once what is too much."""
    for one in all_of_them:
        one._looked = 0.0
        one.release(keep=one.tick())


def test_a_study_has_the_whole_machine_until_another_comes(seats):
    first, second = seats("first"), seats("second")
    first.want = 2
    look(first)
    assert first.have == 2 and first.behind == ""
    second.want = 2
    look(second)
    assert second.have == 0 and second.behind == "waiting for a free core, behind 'first'; not counted against the budget"
    look(first, second)
    assert first.have == second.have == 1 and second.behind == ""
    first.want = 0  # it is paused
    look(first, second)
    assert first.have == 0 and second.have == 2 and first.behind == ""
    second.close()
    first.want = 2
    look(first)
    assert first.have == 2


HOLD_SLOTS = """
import sys, time
from pathlib import Path
from lepton_automl.execution.slots import Slots
slots = Slots("other", "/elsewhere", folder=Path(sys.argv[1]), slots=1)
slots.want = 1
slots.tick()
print(slots.have, flush=True)
while True:
    slots.tick()
    time.sleep(0.1)
    Path(sys.argv[1], f"told-{slots.have}").touch()
"""


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_slots_of_a_stopped_or_dead_process_are_taken_over(seats, other, tmp_path, how):
    holder = other(HOLD_SLOTS, str(tmp_path))
    mine = seats("mine", slots=1, stale=1.0)
    mine.want = 1
    look(mine)
    assert mine.have == 0 and "behind 'other' in /elsewhere" in mine.behind
    holder.send_signal(how)
    samples.until(lambda: look(mine) or mine.have == 1, "it does not get the slot", seconds=60)
    if how == signal.SIGSTOP:
        holder.send_signal(signal.SIGCONT)
        samples.until((tmp_path / "told-0").exists, "it keeps what it has lost", seconds=60)
        look(mine)
        assert mine.have == 1


def test_a_cleaned_up_lock_folder_does_not_matter(seats, tmp_path):
    mine = seats("mine", slots=1)
    mine.want = 1
    look(mine)
    for file in tmp_path.iterdir():
        file.unlink()
    look(mine)
    look(mine)
    assert mine.have == 1 and len(list(tmp_path.glob("study-*"))) == 1


# Cores and memory


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "max 100000"}, math.inf),
        ("0::/a/b\n", {"cpu.max": "800000 100000", "a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000"}, 1.5),
        ("4:cpu,cpuacct:/job\n", {"cpu,cpuacct/job/cpu.cfs_quota_us": "300000", "cpu,cpuacct/job/cpu.cfs_period_us": "100000"}, 3.0),
        ("4:cpu:/\n0::/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000", "unified/cpu.max": "200000 100000"}, 2.0),
        ("4:memory:/\n", {}, math.inf),
    ],
)  # fmt: skip
def test_a_quota_of_time_is_read_from_all_groups_above(tmp_path, groups, files, cores):
    for name, text in files.items():
        (tmp_path / "mount" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mount" / name).write_text(text + "\n")
    (tmp_path / "cgroup").write_text(groups)
    assert capacity.quota(tmp_path / "cgroup", tmp_path / "mount") == cores
    assert capacity.quota(tmp_path / "nothing", tmp_path) == math.inf


def test_workers_are_limited_by_cores_and_memory_with_a_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("LEPTON_CORES", "16")
    monkeypatch.setattr(capacity.memory, "available", lambda: 64 * 2**30)
    assert capacity.affordable_workers(16) == (16, "") and capacity.affordable_workers(3) == (3, "")
    assert capacity.affordable_workers(100_000) == (16, "100000 workers were requested, and 16 are used: there are 16 cores")
    assert capacity.affordable_workers(16, threads=4)[0] == 4
    np.save(tmp_path / "x.npy", np.zeros(1 << 24))  # 128 MiB that each worker reads
    monkeypatch.setattr(capacity.memory, "available", lambda: 3 * 2**30)
    workers, why = capacity.affordable_workers(16, data=tmp_path)
    assert workers == 3 and "3.0 GiB of memory are free, and each takes about 0.7 GiB" in why
    monkeypatch.setattr(capacity.memory, "available", lambda: 0.0)
    assert capacity.affordable_workers(2)[0] == 1
    monkeypatch.setattr(capacity.memory, "available", lambda: math.inf)
    assert capacity.affordable_workers(16) == (16, "")


# Studies


class Crowded(SimulatedExecutor):
    """A machine that other studies have all of, between two moments."""

    busy = (3.0, 103.0)

    def waiting_reason(self):
        waits = "waiting for a free core, behind 'other'" if self.busy[0] <= self.now() < self.busy[1] else ""
        self.hold(held=bool(waits))
        return waits


def test_minutes_do_not_count_while_a_study_waits(tmp_path):
    """Made with the virtual clock: it has its ten seconds of search, and waits for a hundred in between."""
    folder = StudyStore(tmp_path).create("sample")
    asked = samples.config(budget=Budget(minutes=10 / 60), workers=1, train=TrainPlan(epochs=4))
    recording = Recording(
        profile=contract.profile(),
        curve=({"accuracy": 0.5},) * 4,
        epoch_seconds=0.5,
        final={"accuracy": 0.5},
        weighing_seconds=0.1,
    )
    state = search(asked, folder, Crowded(1, lambda _: recording, samples.benchmarked_host()))
    assert state.idle == pytest.approx(100, abs=1) and 105 < state.ended.at < 115
    assert [event.reason for _, event in Journal(folder / "journal.jsonl").read() if isinstance(event, StudyPaused)] == [
        "waiting for a free core, behind 'other'"
    ]
    assert "budget" in state.ended.reason


def test_a_study_that_waits_can_be_paused_and_stopped(tmp_path):
    folder = StudyStore(tmp_path).create("sample")
    asked = samples.config(budget=Budget(minutes=10), workers=1, train=TrainPlan(epochs=4))
    recording = Recording(
        profile=contract.profile(), curve=({"accuracy": 0.5},) * 4, epoch_seconds=0.5, final={"accuracy": 0.5}
    )
    executor = Crowded(1, lambda _: recording, samples.benchmarked_host())
    wishes = {4.0: command("pause"), 200.0: command("resume"), 210.0: command("stop")}

    def inbox():
        due = [at for at in wishes if at <= executor.now()]
        return [wishes.pop(at) for at in due]

    state = search(asked, folder, executor, inbox=inbox)
    told = [event for _, event in Journal(folder / "journal.jsonl").read() if isinstance(event, StudyPaused | StudyResumed)]
    assert [event.reason for event in told] == [
        "waiting for a free core, behind 'other'", "no longer waiting for a core", "paused by the user", "resumed by the user",
    ]  # fmt: skip
    assert state.ended.reason == "stopped by the user" and state.idle == pytest.approx(197, abs=2)


def test_two_executors_share_a_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("LEPTON_CORES", "1")
    monkeypatch.setenv("LEPTON_LOCKS", str(tmp_path / "locks"))
    with (
        closing(LocalExecutor(1, tmp_path / "a" / "workers", trial_function=contract.SCRIPTED)) as first,
        closing(LocalExecutor(1, tmp_path / "b" / "workers", trial_function=contract.SCRIPTED)) as second,
    ):
        first.submit(contract.job(0, tmp_path, epochs=10_000, rungs=()))
        assert first.slots == 1 and second.slots == 0 and "behind 'a'" in second.waiting_reason()
        second.submit(contract.job(1, tmp_path, epochs=2, rungs=()))
        samples.until(lambda: "epoch" in heard(first), "it does not begin", seconds=120)
        first.hold(held=True)
        assert first.waiting_reason() == "" and first._workers[0].stopped
        samples.until(lambda: "end" in heard(second), "it never gets the core", seconds=120)
        first.hold(held=False)
        assert "behind 'b'" in first.waiting_reason() and first._workers[0].stopped
        second.request_slots(0)
        second.poll(0.0)
        samples.until(lambda: "epoch" in heard(first), "it does not go on", seconds=120)


def heard(executor: LocalExecutor) -> set[str]:
    """The reports of trials within a moment: an epoch, or their end."""
    found = set()
    for one in executor.poll(0.1):
        found.add("end" if isinstance(one, TrialResult) else "epoch" if one.epoch else "begin")
        if isinstance(one, Report) and one.waits:
            executor.decide(one.trial, CONTINUE)
    return found
