"""While one process measures, no other one computes, whatever it is doing; a test of the measurement lock itself is in `test_slots`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lepton_automl.execution.worker import Worker
from lepton_automl.jobs import ModelScores, ScoreJob
from lepton_automl.locks import measurement_lock_path
from lepton_automl.measurement_lock import EVERY, SIGNAL, MeasurementLock, pausing_for_measurements
from lepton_automl.pipelines import requests
from tests import samples

COUNT = """
import os, sys
from lepton_automl.measurement_lock import pausing_for_measurements
tally, count = os.open(sys.argv[2], os.O_RDWR), 0
with pausing_for_measurements(sys.argv[1]):
    print("begun", flush=True)
    while True:
        count += 1
        os.pwrite(tally, b"%020d" % count, 0)
"""

COMPUTE = """
import os, sys, tempfile, types, warnings
from pathlib import Path
import torch
from torch import nn
from lepton_automl.data.open import Split
from lepton_automl.deployment.export import export
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.measurement_lock import pausing_for_measurements
from lepton_automl.pipelines.pack import predict_split

count, tally = 0, os.open(sys.argv[2], os.O_RDWR)

def counted(kind):
    call = kind.__call__
    def counting(self, *arguments, **options):
        global count
        count += 1
        os.pwrite(tally, b"%020d" % count, 0)
        return call(self, *arguments, **options)
    kind.__call__ = counting

class Odd(nn.Module):  # the quick exporter does not know it
    def forward(self, input):
        return torch.cumsum(input, 1).flip(1)

warnings.simplefilter("ignore")
network = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(1)).eval()
rows = {"input": torch.randn(64, 4)}
counted(OnnxModel)
counted(nn.Sequential)
counted(Odd)
with tempfile.TemporaryDirectory() as folder, pausing_for_measurements(sys.argv[1]):
    path = Path(folder) / "model.onnx"
    print("begun", flush=True)
    while True:
        if "slow" in sys.argv:
            export(Odd(), rows, path)
        else:
            export(network, rows, path)
            predict_split(OnnxModel(path), Split(rows, torch.zeros(64)))
"""

HOLD = """
import sys, time
from lepton_automl.measurement_lock import MeasurementLock

with MeasurementLock(sys.argv[1]).held():
    print("held", flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def process():
    """Starts a script, which has printed a line when this returns; ended with the test."""
    begun = []

    def start(script: str, *words: object) -> subprocess.Popen[str]:
        begun.append(subprocess.Popen([sys.executable, "-c", script, *map(str, words)], stdout=subprocess.PIPE, text=True))
        assert begun[-1].stdout.readline().strip()
        return begun[-1]

    yield start
    for one in begun:
        one.kill()
        one.communicate()


class Progress:
    """What a process that computes has done so far."""

    def __init__(self, folder: Path) -> None:
        self.path, self.measurement_lock = folder / "tally", folder / "gate"
        self.path.write_bytes(b"0" * 20)

    def steps(self) -> int:
        return int(self.path.read_bytes())

    def grows(self) -> None:
        before = self.steps()
        samples.until(lambda: self.steps() > before + 10, "it does not go on", seconds=120)

    def stands(self, seconds: float = 0.3) -> None:
        samples.until(
            lambda: not list(self.measurement_lock.parent.glob("gate.*")), "it does not come to the gate", seconds=120
        )
        before = self.steps()
        time.sleep(seconds)
        assert self.steps() == before


@pytest.mark.parametrize("script", [COUNT, pytest.param(COMPUTE, marks=pytest.mark.slow)], ids=["python", "export and scores"])
def test_computing_workers_pause_while_another_measures(tmp_path, process, script):
    progress = Progress(tmp_path)
    process(script, progress.measurement_lock, progress.path)
    measurement_lock = MeasurementLock(str(progress.measurement_lock))
    progress.grows()
    for _ in range(3):
        with measurement_lock.held():
            progress.stands()
        progress.grows()
    holder = process(HOLD, progress.measurement_lock)
    progress.stands()
    holder.kill()
    progress.grows()
    holder = process(HOLD, progress.measurement_lock)
    progress.stands()
    holder.send_signal(signal.SIGSTOP)  # the measurement lock is taken from one that was stopped
    progress.grows()
    measurement_lock.close()


@pytest.mark.slow
def test_torchs_exporter_pauses_too_without_harm(tmp_path, process):
    progress = Progress(tmp_path)
    compute = process(COMPUTE, progress.measurement_lock, progress.path, "slow")
    measurement_lock = MeasurementLock(str(progress.measurement_lock))
    progress.grows()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with measurement_lock.held():
            progress.stands(seconds=2 * EVERY)
        time.sleep(EVERY)
    progress.grows()
    assert compute.poll() is None
    measurement_lock.close()


def test_every_request_waits_for_a_measuring_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("LEPTON_LOCKS", str(tmp_path))
    held, order = threading.Event(), []

    def measure() -> None:
        with MeasurementLock(measurement_lock_path()).held():
            held.set()
            time.sleep(0.3)
            order.append("measured")

    def score(job: ScoreJob) -> ModelScores:
        del job
        order.append("scored")
        return ModelScores(scores={})

    monkeypatch.setattr(requests, "score_models", score)
    measurer = threading.Thread(target=measure)
    measurer.start()
    held.wait()
    request = ScoreJob(data=samples.image_spec(), bundles={})
    assert Worker(None, None)._answer(request) == ModelScores(scores={})
    measurer.join()
    assert order == ["measured", "scored"]


def test_a_measuring_worker_does_not_wait_for_itself(tmp_path):
    path, other = str(tmp_path / "gate"), MeasurementLock(str(tmp_path / "gate"))
    with pausing_for_measurements(path) as measurement_lock:
        assert list(tmp_path.glob("gate.*"))  # a measurement would wait for it
        with pausing_for_measurements(path) as inner, inner.held(), measurement_lock.held():
            assert inner is measurement_lock
            measurement_lock.wait()
            time.sleep(3 * EVERY)
            assert other.holder == os.getpid() and not other.try_acquire()
            assert not list(tmp_path.glob("gate.*"))
        assert other.try_acquire()
        other.release()
        assert list(tmp_path.glob("gate.*"))
    assert [file.name for file in tmp_path.iterdir()] == ["gate"]
    assert signal.getsignal(SIGNAL) == signal.SIG_DFL and not [one for one in threading.enumerate() if one.name == "gate"]
    other.close()


def test_measuring_workers_queue(tmp_path):
    path, inside, most = str(tmp_path / "gate"), [], []

    def walk() -> None:
        with pausing_for_measurements(path) as measurement_lock:
            for _ in range(5):
                measurement_lock.wait()
                with measurement_lock.held():
                    inside.append(1)
                    most.append(len(inside))
                    time.sleep(0.005)
                    inside.pop()

    threads = [threading.Thread(target=walk) for _ in range(3)]
    for one in threads:
        one.start()
    walk()
    for one in threads:
        one.join()
    assert most == [1] * 20


def test_a_worker_that_waits_for_a_reply_is_not_waited_for(tmp_path):
    with pausing_for_measurements(str(tmp_path / "gate")) as measurement_lock:
        with measurement_lock.idle():
            assert not list(tmp_path.glob("gate.*"))
        assert list(tmp_path.glob("gate.*")) and measurement_lock.waited < 1
