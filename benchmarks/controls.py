"""How fast a running study handles a user's commands: pause, resume, limit, pin, stop."""

from __future__ import annotations

import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from lepton_automl import AutoML, Budget
from lepton_automl.data.demo import digits
from lepton_automl.study.study import Study

from .report import Figure, Result

ASKED = ("pause", "resume", "limit", "pin", "unpin", "retune", "stop")
BETWEEN = 1.37  # seconds between rounds: out of step with the trials, which take about half a second here
PATIENCE = 120.0


def run(*, rounds: int = 12, studies: int = 3, rows: int = 1000, trials: int = 8) -> Result:
    """Send commands to real studies with two workers each, at times unrelated to the progress of their trials.

    Args:
        rounds: Rounds of pause, resume, limit, pin, unpin in each study.
        studies: Number of studies; each is stopped once.
        rows: Number of digits to train on.
        trials: Trials before the first round, so that a proposal takes its usual time.
    """
    seconds: dict[str, list[float]] = defaultdict(list)
    for seed in range(studies):
        with tempfile.TemporaryDirectory() as home:
            steer(launched(home, rows, seed), seconds, rounds, trials)
    figures = [Figure.of(f"{what}_s", seconds[what], unit="s", target="< 1") for what in ASKED]
    slowest = ", ".join(f"{what} {max(seconds[what]):.2f}" for what in ASKED)
    return Result(
        figures=figures,
        notes=[
            f"From the call to its return, when it is in the journal; {rounds} rounds in each of {studies} searches on digits.",
            f"The slowest of each, in seconds: {slowest}.",
            "stop_s ends when the search has received it; its finalists and its chosen model take some seconds more.",
        ],
    )


def launched(home: str, rows: int, seed: int) -> Study:
    """A running study of small images."""
    images, labels = digits()
    study = AutoML(name="steered", home=Path(home), budget=Budget(minutes=60), seed=seed, progress=False)
    return study.fit(images[:rows], labels[:rows], folds=0, wait=False)


def steer(study: Study, seconds: dict[str, list[float]], rounds: int, trials: int) -> None:
    """Send every command and record how long each took."""
    try:
        until(lambda: len(study.state.trials) > trials)
        slowest = max(trial.profile.latency_ms for trial in study.state.trials.values() if trial.profile)
        for number in range(rounds):
            time.sleep(BETWEEN)
            seconds["pause"].append(taken(study.pause))
            seconds["resume"].append(taken(study.resume))
            time.sleep(BETWEEN)
            limit = slowest if number % 2 else slowest / 2
            seconds["limit"].append(taken(functools.partial(study.control.limit, max_latency_ms=limit)))
            time.sleep(BETWEEN)
            seconds["pin"].append(taken(lambda: study.control.pin({"model.kernel": 3})))
            seconds["unpin"].append(taken(study.control.unpin))
            if number % 4 == 0:
                seconds["retune"].append(taken(lambda: study.control.retune(study.state.front()[0].number, trials=2)))
        seconds["stop"].append(taken(lambda: study.stop(wait=False)))
    finally:
        study.stop()


def taken(ask: Callable[[], None]) -> float:
    """Seconds that a command took."""
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def until(true: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("the study did not get there in time")
        time.sleep(0.1)
