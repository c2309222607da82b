"""The cost of MLflow per trial: share of the trial's time, delay of the search, calls and rows; against two alternatives."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from lepton_automl import families
from lepton_automl.data.demo import digits
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.journal import Journal
from lepton_automl.search.loop import Loop
from lepton_automl.specs import Budget
from lepton_automl.state import StudyState
from lepton_automl.study.publisher import Publisher
from lepton_automl.study.runner import run_study, search
from lepton_automl.study_store import StudyStore
from lepton_automl.tracking.registry import tracking_uri
from lepton_automl.trial import Trial

from .counted_publish import CALLS_FILE
from .made_up import study
from .paced import TRIAL_FUNCTION, begin
from .report import Figure, Result
from .tracking_rivals import Count, fluent, rows, storage

PAIRS = 4  # pairs of a block of trials with the tracker and one without
WORKERS = 2
OWN = ("_handle_report", "_start", "_end")  # the loop's own work: deciding on a report, starting a trial, applying its result


def run(*, trials: int = 200, real_trials: int = 20, rivals: int = 20, storage_trials: int = 5) -> Result:
    """Run simulated trials with and without the tracker in turn, then real trials; then write the same trials with the alternatives.

    Args:
        trials: Simulated trials, half of them tracked; each takes a second at most, so the tracker has more to do than in practice.
        real_trials: Trials of the study on digits; 0 skips it.
        rivals: Trials that the fluent API writes.
        storage_trials: Trials that Optuna's storage writes; each takes seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = StudyStore(folder)
        _paced(home, "first", 2, tracked=True)
        pairs = [_pair(home, number, max(4, trials // (2 * PAIRS))) for number in range(PAIRS)]
        tracked = [block for pair in pairs for name, block in pair.items() if name == "with"]
        figures = [
            Figure.of(
                "critical_path_ms", [pair["with"].own_ms - pair["without"].own_ms for pair in pairs], unit="ms", target="0"
            ),
            Figure.of("own_ms_without", [pair["without"].own_ms for pair in pairs], unit="ms"),
            Figure.of("share_of_paced_trial", [block.share for block in tracked]),
            Figure.of("tracking_ms", [block.tracking_ms for block in tracked], unit="ms"),
            Figure.of("calls_per_trial", [block.calls for block in tracked]),
            Figure.of("rows_per_trial", [block.rows for block in tracked]),
            Figure.of("imports_s", [block.first_cpu for block in tracked], unit="s"),
        ]
        state = StudyState.replay(Journal(home.path("with-0") / "journal.jsonl"))
        if real_trials:
            block = _real(home, real_trials)
            state = block.state
            figures.append(Figure(name="share_of_trial", value=block.share, target="<= 0.02"))
            figures += [
                Figure(name=f"real_{name}", value=getattr(block, name), unit=unit)
                for name, unit in (("tracking_ms", "ms"), ("trial_ms", "ms"), ("own_ms", "ms"), ("calls", ""), ("rows", ""))
            ]
        figures += _rival(Path(folder), "fluent", fluent, state, rivals)
        figures += _rival(Path(folder), "storage", storage, state, storage_trials)
    return Result(figures=figures, notes=NOTES)


SHARE = (
    "share_of_trial: CPU seconds of the process that publishes the study over the wall seconds of the real study's trials,"
    " including its updates of the front's plot: the maximum that tracking can cost a trial, with all cores busy."
)
FIRST = "imports_s: CPU seconds for importing MLflow and plotly, once per study; not included in any other figure."
PATH = (
    "critical_path_ms: milliseconds per trial that the search loop takes longer for its own work (deciding, starting, ending)"
    " with the tracker, in alternating blocks of simulated trials; own_ms_without is its time without the tracker."
)
CALLS = (
    "A call is a call to MLflow's store; with a server, it is one request. The alternatives write in the training process, so all of"
    " their time is added to the trial."
)
NOTES = [SHARE, FIRST, PATH, CALLS]


class Block:
    """Measurements of one study.

    Args:
            folder: The study's folder.
            own: Seconds that the search loop spent on its own work.
            publisher: The publishing process; None without one.
            rows_before: Number of rows that were added to MLflow's store.
    """

    def __init__(self, folder: Path, own: float, publisher: Publisher | None, rows_before: int) -> None:
        self.state = StudyState.replay(Journal(folder / "journal.jsonl"))
        self.trials = len(self.state.trials)
        self.own_ms = 1000 * own / self.trials
        calls = int((folder / CALLS_FILE).read_text()) if publisher else 0
        self.calls, self.rows = calls / self.trials, rows_before / self.trials
        self.cpu = publisher.cpu - publisher.first_cpu if publisher else 0.0
        self.first_cpu = publisher.first_cpu if publisher else 0.0
        self.tracking_ms = 1000 * self.cpu / self.trials
        seconds = [trial.result.seconds for trial in self.state.trials.values() if trial.result]
        self.trial_ms = 1000 * sum(seconds) / self.trials
        self.share = self.cpu / sum(seconds)


@contextmanager
def own_time() -> Iterator[Callable[[], float]]:
    """Yield a function for the wall seconds of the loop's own work so far, including waits for the interpreter."""
    spent, methods = [0.0], {name: getattr(Loop, name) for name in OWN}

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            began = time.perf_counter()
            try:
                return method(*args)
            finally:
                spent[0] += time.perf_counter() - began

        return call

    for name, method in methods.items():
        setattr(Loop, name, timed(method))
    try:
        yield lambda: spent[0]
    finally:
        for name, method in methods.items():
            setattr(Loop, name, method)


def watched(home: StudyStore, folder: Path, study_of: Callable[[], object], *, tracked: bool) -> Block:
    """Run a study, with the tracker or without."""
    database = home.folder / "mlflow.db"
    before = rows(database)
    with own_time() as own, Publisher(folder, "benchmarks.counted_publish") if tracked else nullcontext() as publisher:
        study_of()
        seconds = own()
        if publisher:
            publisher.leave()
    return Block(folder, seconds, publisher, rows(database) - before)


def _pair(home: StudyStore, number: int, trials: int) -> dict[str, Block]:
    """Run a block with the tracker and one without, in alternating order."""
    turns = [True, False] if number % 2 else [False, True]
    names = {True: "with", False: "without"}
    return {names[on]: _paced(home, f"{names[on]}-{number}", trials, tracked=on) for on in turns}


def _paced(home: StudyStore, name: str, trials: int, *, tracked: bool) -> Block:
    folder = begin(home, name, trials, workers=WORKERS)

    def study_of() -> None:
        with closing(LocalExecutor(WORKERS, folder / "workers", trial_function=TRIAL_FUNCTION)) as executor:
            search(study(Budget(trials=trials)), folder, executor)

    return watched(home, folder, study_of, tracked=tracked)


def _real(home: StudyStore, trials: int) -> Block:
    """Run an ordinary study on digits, in this process."""
    folder = home.create("digits")
    data = prepare(digits(), folder / "data", DataOptions(name="digits"))
    config = study(Budget(trials=trials)).replace(
        name="digits", data=data, space=families.space_for(data), train=families.usual_plan(data), workers=WORKERS
    )
    return watched(home, folder, lambda: run_study(config, folder), tracked=True)


def _rival(
    folder: Path, name: str, way: Callable[[StudyState, list[Trial], str], list[float]], state: StudyState, trials: int
) -> list[Figure]:
    """Measure an alternative's seconds, calls and rows per trial, for a study's first trials; its tables exist already."""
    some = list(state.trials.values())[:trials]
    if not some:
        return []
    home, count = folder / name, Count()
    home.mkdir()
    way(state, some[:1], tracking_uri(home))
    before = rows(home / "mlflow.db")
    with count.counting():
        seconds = way(state, some, tracking_uri(home))
    rows_made = rows(home / "mlflow.db") - before
    shares = [second / trial.result.seconds for second, trial in zip(seconds, some, strict=True) if trial.result]
    return [
        Figure.of(f"{name}_ms", [1000 * second for second in seconds], unit="ms"),
        Figure.of(f"{name}_share_of_trial", shares),
        Figure(name=f"{name}_calls_per_trial", value=count.calls / len(some)),
        Figure(name=f"{name}_rows_per_trial", value=rows_made / len(some)),
    ]
