"""One run of one contestant, from its first process to its last finished training."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lepton_automl.data.store import load_spec
from lepton_automl.execution.process import THREAD_VARIABLES
from lepton_automl.state import StudyState
from lepton_automl.study_store import StudyStore

from .setting import CHECKOUT, Setting

GRACE = 300.0  # seconds after its budget in which our search must end
Found = dict[str, Any]


def contest(who: str, setting: Setting) -> Found:
    """Run one contestant.

    Returns:
        `trainings`: [seconds since the start, accuracy, latency as a multiple of the reference network's, latency in ms]
        of every full training that was finished in time; `trials`, `failed`, `ready` (seconds before the first trial),
        `epochs`, `digest` of the data, `load` of the machine before the start; for ours, `kept`: the minutes used.

    Raises:
        RuntimeError: One of its processes died; the message ends with its last output.
    """
    load = os.getloadavg()[0]
    setting.write()
    crew = [start(who, setting, number) for number in range(1 if who == "ours" else setting.workers)]
    try:
        wait(crew, setting, until=setting.deadline + (GRACE if who == "ours" else 0), ends=who == "ours")
    finally:
        end(crew)
        end_searches(setting)
    result = of_ours(setting) if who == "ours" else of_rival(setting)
    result["trainings"] = sorted(row for row in result["trainings"] if row[0] <= 60 * setting.minutes)
    return {**result, "load": round(load, 2)}


def start(who: str, setting: Setting, number: int) -> subprocess.Popen[bytes]:
    """Start a process with one thread in the run's folder, so that libraries write their files there."""
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1"), "PYTHONPATH": str(CHECKOUT)}
    with log(setting, number).open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.live_rivals", who, setting.folder],
            cwd=setting.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def log(setting: Setting, number: int) -> Path:
    return setting.path / f"process-{number}.log"


def wait(crew: Sequence[subprocess.Popen[bytes]], setting: Setting, *, until: float, ends: bool) -> None:
    """Wait until the time is up, or until all have ended if they end by themselves."""
    while time.time() < until:
        codes = [process.poll() for process in crew]
        for number, code in enumerate(codes):
            if code is not None and (code or not ends):
                raise RuntimeError(f"process {number} ended by itself ({code}):\n{log(setting, number).read_text()[-4000:]}")
        if None not in codes:
            return
        time.sleep(0.2)
    if ends:
        raise RuntimeError(f"the search had not ended {GRACE:g} s after its {setting.minutes:g} minutes")


def end(crew: Sequence[subprocess.Popen[bytes]]) -> None:
    """Terminate all running processes, then kill them with their children."""
    for process in crew:
        with suppress(ProcessLookupError):
            process.terminate()
    for process in crew:
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def end_searches(setting: Setting) -> None:
    """Kill this run's separate search processes, which an interrupted run may leave behind; their workers end with them."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = entry.read_bytes()
            if b"lepton_automl" in words and setting.folder.encode() in words:
                os.kill(int(entry.parent.name), signal.SIGKILL)


def of_rival(setting: Setting) -> Found:
    """The results recorded by a rival's processes."""
    notes, spec = setting.notes(), load_spec(setting.path / "data")
    trained = [note for note in notes if note["what"] == "trained"]
    failed = [note["reason"] for note in notes if note["what"] == "failed"]
    return {
        "trainings": [[note["seconds"], note["accuracy"], note["ratio"], note["latency_ms"]] for note in trained],
        "trials": len(trained) + len(failed),
        "failed": failed,
        "ready": min((note["seconds"] for note in notes if note["what"] == "ready"), default=None),
        "epochs": setting.plan(spec).epochs,
        "digest": spec.digest,
    }


def of_ours(setting: Setting) -> Found:
    """The results in the study's journal.

    Raises:
        RuntimeError: It trained for another number of epochs than its rivals.
    """
    from .ours import NAME

    state = StudyState.replay(StudyStore(setting.path / "home").journal(NAME))
    spec, epochs = state.settings.data, state.settings.train.epochs
    if epochs != setting.plan(spec).epochs:
        fix = f"its rivals get {setting.plan(spec).epochs}; use --epochs {epochs} or fewer, or more --minutes"
        raise RuntimeError(f"the time allows ours only {epochs} epochs per training, but {fix}")
    trainings = [
        [round(trial.ended_at - setting.began, 2), trial.result.scores["accuracy"], profile.latency.ratio, profile.latency_ms]
        for trial in state.trials.values()
        if trial.status == "complete" and trial.result and trial.ended_at and (profile := trial.result.profile)
    ]
    return {
        "trainings": trainings,
        "trials": len(state.trials),
        "failed": [trial.result.reason for trial in state.trials.values() if trial.result and trial.status == "failed"],
        "ready": min((round(trial.proposed.at - setting.began, 2) for trial in state.trials.values()), default=None),
        "epochs": epochs,
        "digest": spec.digest,
        "kept": next(note["minutes"] for note in setting.notes() if note["what"] == "kept"),
    }
