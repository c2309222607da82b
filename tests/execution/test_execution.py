"""Real worker processes: they live across trials, and their deaths are noticed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import torch

from lepton_automl import memory
from lepton_automl.errors import ConfigError, LeptonError, StudyError
from lepton_automl.execution.failure_cause import fault_of
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.execution.traces import changed, snapshot
from lepton_automl.execution.worker import Worker
from lepton_automl.factory import Factory
from lepton_automl.jobs import CONTINUE, Report, ScoreJob, TrialJob, TrialResult
from lepton_automl.measurement_lock import MeasurementLock
from lepton_automl.testing import executor as contract
from lepton_automl.trust import allow
from tests.samples import image_spec, trial_job


@pytest.fixture
def executor(tmp_path):
    executor = LocalExecutor(1, tmp_path / "workers")
    yield executor
    executor.close()


def job(trial: int, folder: object) -> TrialJob:
    return trial_job(trial, image_spec().replace(folder=str(folder)), folder)


def result_of(executor: LocalExecutor, seconds: float = 90) -> TrialResult:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for message in executor.poll(1.0):
            if isinstance(message, TrialResult):
                return message
            assert isinstance(message, Report)
            if message.waits:
                executor.decide(message.trial, CONTINUE)
    raise AssertionError("no result came")


def test_a_failed_trial_has_a_reason_and_its_worker_runs_the_next(executor, tmp_path):
    process = executor._workers[0].popen.pid
    for trial in range(2):
        executor.submit(job(trial, tmp_path / "nothing"))
        result = result_of(executor)
        assert result.trial == trial and result.status == "failed"
        assert "Traceback" in result.traceback and result.reason
    assert executor._workers[0].popen.pid == process


def test_a_result_includes_the_last_output_of_its_own_trial(tmp_path):
    with closing(LocalExecutor(1, tmp_path / "workers", trial_function="tests.faulty_trials:chatter")) as executor:
        for trial in (0, 1):
            executor.submit(contract.job(trial, tmp_path))
            said = result_of(executor).printed
            assert said.endswith("x is done\na warning\n") and len(said) == 4000
    with closing(LocalExecutor(1, tmp_path / "others", trial_function=contract.SCRIPTED)) as executor:
        executor.submit(contract.job(2, tmp_path))
        assert result_of(executor).printed == ""


def test_a_killed_worker_fails_its_trial_and_is_replaced(tmp_path):
    with closing(LocalExecutor(1, tmp_path / "workers", trial_function=contract.SCRIPTED)) as executor:
        executor.submit(contract.job(6, tmp_path))
        os.kill(executor._workers[0].popen.pid, signal.SIGKILL)
        assert result_of(executor).status == "complete"  # one that dies before it can do anything is replaced without a word
        executor.submit(contract.job(7, tmp_path))
        os.kill(executor._workers[0].popen.pid, signal.SIGKILL)
        result = result_of(executor)
        assert result.trial == 7 and result.fault == "worker" and "SIGKILL" in result.reason
        executor.submit(contract.job(8, tmp_path))
        assert result_of(executor).trial == 8


def test_a_failed_request_raises_at_its_sender(executor, tmp_path):
    with pytest.raises(LeptonError, match="worker"):
        executor.run(ScoreJob(data=image_spec().replace(folder=str(tmp_path)), bundles={0: str(tmp_path)}))


def test_workers_die_with_the_search(tmp_path):
    executor = LocalExecutor(1, tmp_path / "workers", trial_function=contract.SCRIPTED)
    process = executor._workers[0].popen
    executor._workers[0].channel.close()
    assert process.wait(timeout=60) == 0
    executor.close()


LOST = """
import sys, time
from pathlib import Path
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.testing import executor as contract
executor = LocalExecutor(2, Path(sys.argv[1]), trial_function=contract.SCRIPTED)
for number in range(2):
    executor.submit(contract.job(number, Path(sys.argv[1]), epochs=10_000))
ready = set()
while len(ready) < 2:
    ready |= {message.trial for message in executor.poll(1.0)}
executor.hold(held=True)
print(*(worker.popen.pid for worker in executor._workers), flush=True)
time.sleep(1000)
"""


def gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux alone tells a child that its parent died")
def test_stopped_workers_die_with_a_killed_search(tmp_path):
    search = subprocess.Popen([sys.executable, "-c", LOST, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in search.stdout.readline().split()]
    assert len(pids) == 2 and all("State:\tT" in Path(f"/proc/{pid}/status").read_text() for pid in pids)
    search.kill()
    search.communicate()
    until = time.monotonic() + 10
    while not all(map(gone, pids)):
        assert time.monotonic() < until, "workers outlived their search"
        time.sleep(0.05)


def ends(walk: str, folder: Path, trials: int = 1, **settings: object) -> list[TrialResult]:
    """How some trials end, one after another, on one worker."""
    with closing(LocalExecutor(1, folder / "workers", trial_function=f"tests.faulty_trials:{walk}", **settings)) as executor:
        found = []
        for number in range(trials):
            executor.submit(contract.job(number, folder))
            found.append(result_of(executor))
            if found[-1].fault == "worker":
                executor.submit(contract.job(number, folder))
                found.append(result_of(executor))
        return found


def test_a_hung_worker_is_replaced_and_its_log_shows_where_it_hung(tmp_path):
    hung, again = ends("hang", tmp_path, patience=2.0)
    assert hung.fault == "worker" and "hung: no sign of life for" in hung.reason and "in hang" in hung.traceback
    assert again.status == "complete"


def test_running_out_of_memory_is_the_workers_fault(tmp_path):
    first, again = ends("hungry", tmp_path)
    assert first.fault == again.fault == "worker" and "Unable to allocate" in first.reason


def test_a_worker_that_holds_too_much_is_replaced_after_its_trial(tmp_path):
    modest = [one.reason for one in ends("tell", tmp_path / "modest", 2)]
    heavy = [one.reason for one in ends("tell", tmp_path / "heavy", 2, memory_limit=1.0)]
    assert modest[0] == modest[1] and heavy[0] != heavy[1]


def test_a_worker_that_exhausts_the_machines_memory_is_killed_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "nearly_out", lambda: True)
    killed = ends("tell", tmp_path, memory_limit=1.0)[0]
    assert killed.fault == "worker" and "its share is 0.00 GiB, and the machine was almost out of memory" in killed.reason
    assert 0 < memory.resident(os.getpid()) < memory.total() and memory.available() < memory.total()


CUSTOM = Factory(name="make", module="tests.custom_networks")
allow(CUSTOM.digest)


def test_what_user_code_leaves_in_its_worker_does_not_reach_the_next_trial(tmp_path):
    with closing(LocalExecutor(1, tmp_path / "workers", trial_function="tests.execution.polluting_trials:pollute")) as executor:

        def process(trial: int, **changes: object) -> str:
            """The process that ran a trial."""
            executor.submit(contract.job(trial, tmp_path).replace(**changes))
            return result_of(executor).reason

        fresh = process(0, factory=CUSTOM)
        assert process(1, factory=CUSTOM) == fresh  # one that leaves nothing is kept
        kinds = ("recursion", "signal", "folder", "environment", "thread", "file", "mask", "failure")
        for trial, what in enumerate(kinds, start=2):
            process(trial, factory=CUSTOM, config={"what": what})
            after = process(trial, factory=CUSTOM)
            assert after != fresh, what
            fresh = after
        process(1, config={"what": "failure"})
        assert process(1) == fresh  # our own networks leave nothing when they fail
    assert "this worker is replaced, as it was changed: the recursion limit" in (tmp_path / "workers/worker-0.log").read_text()


def test_global_torch_settings_are_detected():
    before, gradients = snapshot(), torch.is_grad_enabled()
    assert changed(before, snapshot()) == ""
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    try:
        assert changed(before, snapshot()) == "torch's default dtype, whether torch computes gradients"
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(gradients)


def test_a_request_to_a_stopped_worker_is_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr("lepton_automl.execution.local.STOPPED", 1.0)
    with closing(LocalExecutor(1, tmp_path / "workers", trial_function=contract.SCRIPTED)) as executor:
        stopped = executor._workers[0].popen
        stopped.send_signal(signal.SIGSTOP)
        with pytest.raises(LeptonError, match="no prepared data"):  # it is answered, by another
            executor.run(ScoreJob(data=image_spec().replace(folder=str(tmp_path)), bundles={0: str(tmp_path)}))
        assert executor._workers[0].popen is not stopped and stopped.returncode == -signal.SIGKILL


def test_a_request_has_a_time_limit_and_ends_when_its_sender_stops_waiting(tmp_path):
    request = ScoreJob(data=image_spec().replace(folder=str(tmp_path)), bundles={0: str(tmp_path)})
    with closing(LocalExecutor(1, tmp_path / "workers", trial_function="tests.faulty_trials:hang")) as executor:
        with pytest.raises(StudyError, match=r"did not finish a request: it took longer than the 0 s"):
            executor.run(request, limit=0.0)

        def impatient() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            executor.run(request, impatient)
        assert not executor._workers[0].busy


def test_workers_that_cannot_start_end_the_search_with_a_reason(tmp_path):
    with closing(LocalExecutor(1, tmp_path / "workers", trial_function="no_such_module:walk")) as executor:
        executor.submit(contract.job(0, tmp_path))
        with pytest.raises(StudyError, match=r"fail at their start \(exit code 1\), 3 in a row[\s\S]*No module named 'no_such"):
            result_of(executor)


def test_none_is_held_while_it_measures(tmp_path):
    with closing(LocalExecutor(1, tmp_path / "workers", trial_function=contract.SCRIPTED)) as executor:
        executor.submit(contract.job(0, tmp_path))
        measurement_lock, let_go = MeasurementLock(str(tmp_path / "gate")), []

        def measure():
            with measurement_lock.held():
                time.sleep(0.5)
                let_go.append(time.monotonic())

        measurer = threading.Thread(target=measure)
        measurer.start()
        time.sleep(0.2)
        executor.hold(held=True)
        assert let_go and time.monotonic() >= let_go[0]
        measurer.join()


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/tmp/x"), "machine"),
        (PermissionError(errno.EACCES, "Permission denied", "/study/trials/1"), "machine"),
        (PermissionError(errno.EACCES, "Permission denied", "/elsewhere/photos"), "candidate"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "machine"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"), "worker"),
        (MemoryError(), "worker"),
        (ValueError("it is out of memory of its own"), "candidate"),
    ],
)
def test_whose_failure_it_is(error, fault):
    assert fault_of(error, Path("/study")) == fault
    outer = ValueError("outer")
    outer.__cause__ = error
    assert fault_of(outer, Path("/study")) == fault


ESSAY = "\x1b[31mCould not guard\x1b[0m on a data-dependent expression\n" + "The following call raised this error\n" * 40


def test_another_packages_long_error_becomes_one_plain_line(tmp_path, monkeypatch):
    def walk(job, report, heartbeat):
        raise RuntimeError(ESSAY)

    monkeypatch.setattr("lepton_automl.pipelines.requests.score_models", lambda _: walk(None, None, None))
    worker = Worker(None, walk)
    job = contract.job(0, tmp_path / "study" / "trials" / "0")
    request = ScoreJob(data=image_spec(), bundles={})
    tried, answered = worker._try(job), worker._answer(request)
    assert tried.reason == answered.reason == "RuntimeError: Could not guard on a data-dependent expression"
    assert "\x1b" not in tried.traceback and "The following call" in tried.traceback  # kept as a file, for who wants it all
    assert answered.traceback.endswith(answered.reason) and "in walk" in answered.traceback  # shown below the error
    source = f"raise ValueError({ESSAY!r})"
    factory = Factory(name="make", module="__main__", source=source)
    monkeypatch.setattr("lepton_automl.factory.is_trusted", lambda _: True)
    with pytest.raises(ConfigError) as error:
        factory.load()
    assert error.value.what.endswith("in a worker process: ValueError: Could not guard on a data-dependent expression")
