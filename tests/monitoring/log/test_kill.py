"""A process that logs rows and records feedback is killed while it writes: what it acknowledged is there, once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lepton_automl.monitoring.feedback import FeedbackStore
from lepton_automl.monitoring.ids import PredictionIds
from lepton_automl.monitoring.log.reader import read_log
from lepton_automl.monitoring.log.segments import closed_segments
from lepton_automl.monitoring.log.settings import LogSettings
from lepton_automl.monitoring.log.writer import LoggedRows, RequestLog

# Writes rows and feedback until it is killed; prints what is on the disk for certain.
WRITER = """
import sys, numpy as np
from pathlib import Path
from lepton_automl.monitoring.feedback import FeedbackStore
from lepton_automl.monitoring.ids import PredictionIds
from lepton_automl.monitoring.log.settings import LogSettings
from lepton_automl.monitoring.log.writer import LoggedRows, RequestLog

folder, first = Path(sys.argv[1]), int(sys.argv[2])
ids = PredictionIds.open(folder / "secret")
log = RequestLog(folder / "log", LogSettings(flush_seconds=0.005, segment_mb=0.02))
store = FeedbackStore(folder / "feedback", ids, ["yes", "no"])
while True:
    issued = ids.issue("key", 4e9, 2)
    log.add(LoggedRows(ids=[f"{first}", f"{first + 1}"], features={"x": np.random.default_rng(first).random(2)}, answers=[1, 2]))
    log.flush()
    store.add(f"{issued}.1", "yes", "key")
    first += 2
    print(first, f"{issued}.1", flush=True)
"""


def killed(folder: Path, first: int, after: float) -> list[tuple[int, str]]:
    """Run the writer, and kill it some seconds after its first line; returns what it acknowledged."""
    command = [sys.executable, "-c", WRITER, str(folder), str(first)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    time.sleep(after)
    os.kill(process.pid, signal.SIGKILL)
    lines += process.communicate()[0].splitlines()
    return [(int(line.split()[0]), line.split()[1]) for line in lines if len(line.split()) == 2]


def check(folder: Path, acknowledged: list[tuple[int, str]]) -> int:
    """Every acknowledged row and report is there once; returns the number of rows, which are written in pairs."""
    logged = [int(number) for number in read_log(folder / "log")["id"].to_pylist()]
    assert len(logged) == len(set(logged)) and set(range(acknowledged[-1][0])) <= set(logged)
    store = FeedbackStore(folder / "feedback", PredictionIds.open(folder / "secret"), ["yes", "no"])
    reported = {event.id for event in store.events()}
    store.close()
    assert {name for _, name in acknowledged} <= reported and len(reported) <= max(logged) / 2 + 1
    assert len(logged) == max(logged) + 1
    return len(logged)


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_what_was_acknowledged_survives_kills(tmp_path, kills):
    chance, acknowledged, first = random.Random(0), [], 0
    for _ in range(kills):
        acknowledged += killed(tmp_path, first, chance.uniform(0.0, 0.6))
        first = check(tmp_path, acknowledged)
    log = RequestLog(tmp_path / "log", LogSettings())
    log.add(LoggedRows(ids=["-1"], features={}, answers=[0]))
    log.close()
    assert read_log(tmp_path / "log").num_rows >= first and closed_segments(tmp_path / "log")
