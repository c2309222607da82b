"""Locks that all studies of a user share: the gate of measuring, and a slot for each core."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lepton_automl.errors import StudyError
from lepton_automl.gate import Gate
from lepton_automl.locks import gate_path, is_stopped, lock_folder, started

from . import samples

HOLD_GATE = """
import sys, time
from lepton_automl.gate import Gate
gate = Gate(sys.argv[1])
with gate.closed():
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


def test_the_folder_of_locks_is_the_users_alone_and_outside_any_home(tmp_path, monkeypatch):
    monkeypatch.setenv("LEPTON_LOCKS", str(tmp_path / "given"))
    assert lock_folder() == tmp_path / "given" and stat.S_IMODE(lock_folder().stat().st_mode) == 0o700
    assert Path(gate_path()).parent == lock_folder()
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
        gate = Gate(path)
        gate.wait()
        batch.set()
        time.sleep(0.3)
        told.append("batch")
        gate.wait()
        told.append("next batch")
        gate.close()

    worker = threading.Thread(target=compute)
    worker.start()
    batch.wait()
    measurer = Gate(path)
    with measurer.closed():
        told.append("measured")
        assert measurer.try_close()
        time.sleep(1.3)  # longer than a worker once waited
        told.append("done")
    worker.join()
    assert told == ["batch", "measured", "done", "next batch"]
    assert [file.name for file in tmp_path.iterdir()] == ["gate"]


def test_a_worker_that_left_the_gate_is_not_waited_for(tmp_path):
    gate, measurer = Gate(str(tmp_path / "gate")), Gate(str(tmp_path / "gate"))
    gate.wait()
    began = time.monotonic()
    with measurer.closed():
        waited = time.monotonic() - began
    gate.wait()
    gate.leave()
    began = time.monotonic()
    with measurer.closed():
        assert time.monotonic() - began < waited / 2
    gate.close()


def test_the_gate_is_taken_from_a_process_that_was_stopped_while_it_measured(tmp_path, other):
    path = str(tmp_path / "gate")
    holder = other(HOLD_GATE, path)
    gate = Gate(path)
    assert gate.holder == holder.pid and not gate.try_close()
    with gate.closed(patience=0.1):
        assert gate.holder == holder.pid  # it goes on without
    holder.send_signal(signal.SIGSTOP)
    samples.until(lambda: is_stopped(holder.pid), "it does not stop", seconds=30)
    third = Gate(path)
    with gate.closed():
        assert third.holder == os.getpid()
    third.wait()
    holder.send_signal(signal.SIGCONT)
    assert third.holder is None and started(holder.pid) and not started(2**22 + 1)
    third.close()
