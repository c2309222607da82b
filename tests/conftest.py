"""Shared by all tests: the folder of real data, and one thread per process."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("lepton", deadline=None)  # a busy machine is no error
settings.load_profile("lepton")

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="lepton-config-")  # whoever runs the tests trusts nothing by that
_locks = tempfile.TemporaryDirectory(prefix="lepton-locks-")
os.environ["LEPTON_LOCKS"] = _locks.name  # tests that run side by side do not wait for one another, nor for a user's studies
if (os.cpu_count() or 1) < 2:
    os.environ.setdefault("LEPTON_CORES", "2")  # some tests let two workers work at once


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; skips where there is none."""
    folder = Path(os.environ.get("LEPTON_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no real data here: set LEPTON_DATA to a folder that holds them")
    return folder


@pytest.fixture
def study_state():
    """Makes a study's state from the scores and latencies of completed trials."""
    from lepton_automl.events import StudyStarted
    from lepton_automl.state import StudyState

    from .samples import config, trial_events

    def make(models: list[tuple[float, float]], **changes: object) -> StudyState:
        state = StudyState().feed([StudyStarted(at=0.0, config=config(**changes))])
        for number, (score, latency_ms) in enumerate(models):
            state.feed(trial_events(number, score, latency_ms))
        return state

    return make
