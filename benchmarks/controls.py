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

COMMANDS = ("pause", "resume", "limit", "pin", "unpin", "retune", "stop")
BETWEEN = 1.37  # seconds between commands: out of step with the trials, which take about half a second here
PATIENCE = 120.0


def run(*, rounds: int = 12, studies: int = 3, rows: int = 1000, trials: int = 8) -> Result:
    """Send commands to real studies with two workers each, at times unrelated to the progress of their trials.

    Args:
        rounds: Rounds of pause, resume, limit, pin, unpin in each study.
        studies: Number of studies; each is stopped once.
        rows: Number of digits to train on.
        trials: Number of trials before the first round, so that a proposal takes as long as usual.
    """
    seconds: dict[str, list[float]] = defaultdict(list)
    for seed in range(studies):
        with tempfile.TemporaryDirectory() as home:
            send_commands(launch(home, rows, seed), seconds, rounds, trials)
    figures = [Figure.of(f"{what}_s", seconds[what], unit="s", target="< 1") for what in COMMANDS]
    slowest = ", ".join(f"{what} {max(seconds[what]):.2f}" for what in COMMANDS)
    return Result(
        figures=figures,
        notes=[
            f"From the call to its return, when the command is in the journal; {rounds} rounds in each of {studies} searches on digits.",
            f"The slowest of each, in seconds: {slowest}.",
            "stop_s ends when the search has received the command; accelerating and registering the models takes some more seconds.",
        ],
    )


def launch(home: str, rows: int, seed: int) -> Study:
    """Start a study of small images."""
    images, labels = digits()
    study = AutoML(name="steered", home=Path(home), budget=Budget(minutes=60), seed=seed, progress=False)
    return study.fit(images[:rows], labels[:rows], folds=0, wait=False)


def send_commands(study: Study, seconds: dict[str, list[float]], rounds: int, trials: int) -> None:
    """Send every command and record how long each took."""
    try:
        until(lambda: len(study.state.trials) > trials)
        slowest = max(trial.profile.latency_ms for trial in study.state.trials.values() if trial.profile)
        for number in range(rounds):
            time.sleep(BETWEEN)
            seconds["pause"].append(time_of(study.pause))
            seconds["resume"].append(time_of(study.resume))
            time.sleep(BETWEEN)
            limit = slowest if number % 2 else slowest / 2
            seconds["limit"].append(time_of(functools.partial(study.control.limit, max_latency_ms=limit)))
            time.sleep(BETWEEN)
            seconds["pin"].append(time_of(lambda: study.control.pin({"model.kernel": 3})))
            seconds["unpin"].append(time_of(study.control.unpin))
            if number % 4 == 0:
                seconds["retune"].append(time_of(lambda: study.control.retune(study.state.front()[0].number, trials=2)))
        seconds["stop"].append(time_of(lambda: study.stop(wait=False)))
    finally:
        study.stop()


def time_of(command: Callable[[], None]) -> float:
    """Seconds that a command took."""
    began = time.perf_counter()
    command()
    return time.perf_counter() - began


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the study did not reach the expected state in time")
        time.sleep(0.1)
