"""Who else waits for the measurement lock, and for how long."""

from __future__ import annotations

import os
import threading
import time
from types import SimpleNamespace

from lepton_automl.execution.ends import WorkTimer
from lepton_automl.locks import open_lock, try_lock
from lepton_automl.measurement_lock import LONGEST, STOPPED, MeasurementLock, is_waiting
from tests import samples


def test_the_lock_is_taken_from_a_holder_that_does_not_identify_itself(tmp_path):
    path = tmp_path / "gate"
    file = open_lock(path)
    assert try_lock(file)
    measurement_lock, began = MeasurementLock(str(path)), time.monotonic()
    measurement_lock.wait()
    assert STOPPED < time.monotonic() - began < LONGEST / 2 and not is_waiting()
    measurement_lock.close()
    os.close(file)


def test_waiting_for_a_measurement_is_no_work(tmp_path):
    worker, timer = SimpleNamespace(stopped=False, waits=True), WorkTimer(0.0)
    for waits in (True, False):
        worker.waits = waits
        time.sleep(0.01)
        timer.tick(worker)
        assert bool(timer.late()) == (not waits)
    measurement_lock = MeasurementLock(str(tmp_path / "gate"))
    waiter = threading.Thread(target=measurement_lock.wait)
    with MeasurementLock(str(tmp_path / "gate")).held():
        waiter.start()
        samples.until(is_waiting, "it does not wait", seconds=30)
    waiter.join()
    assert not is_waiting()
    measurement_lock.close()
