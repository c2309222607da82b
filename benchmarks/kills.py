"""What a search loses if its worker, the search process or both are killed at random times."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lepton_automl.journal import Journal
from lepton_automl.plans import PrunePlan
from lepton_automl.search.stopping import rungs
from lepton_automl.state import StudyState
from lepton_automl.study_store import trial_folder
from lepton_automl.tracking.store import opened_store
from lepton_automl.tracking.tracker import Tracker

from .replay import EPOCHS, STUDY, WALKED, begin
from .report import Figure, Result

VICTIMS = ("worker", "search", "both")
LONGEST = 60.0  # maximum seconds to wait
TICK = 0.003


@dataclass
class _Run:
    """A search that is killed repeatedly, and what it lost."""

    folder: Path
    rng: random.Random
    search: subprocess.Popen[bytes] | None = None
    killed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))
    resumed: list[float] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)  # process ids of the search and its workers
    offset: int = 0
    state: StudyState = field(default_factory=StudyState)

    def start(self) -> None:
        """Start the search process as from a user's shell."""
        command = [sys.executable, "-m", "benchmarks.replay", str(self.folder)]
        with open(self.folder / "search.log", "ab") as log:
            self.search = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self.seen.add(self.search.pid)

    def look(self) -> int:
        """Read new journal lines; returns the number of trial reports so far."""
        for offset, event in Journal(self.folder / "journal.jsonl").read(self.offset):
            self.state.apply(event)
            self.offset = offset
        return sum(len(trial.reports) + (trial.result is not None) for trial in self.state.trials.values())

    def wait_for(self, reports: int) -> None:
        """Wait for a number of reports."""
        until = time.monotonic() + LONGEST
        while self.look() < reports:
            assert self.search is not None
            if self.search.poll() is not None or time.monotonic() > until:
                raise RuntimeError(
                    f"the search makes no progress; its log:\n{(self.folder / 'search.log').read_text()[-3000:]}"
                )
            time.sleep(TICK)

    def workers(self) -> list[int]:
        """The child processes of the search."""
        assert self.search is not None
        try:
            listed = Path(f"/proc/{self.search.pid}/task/{self.search.pid}/children").read_text().split()
        except OSError:
            return []
        self.seen.update(map(int, listed))
        return [int(pid) for pid in listed]

    def kill(self, victim: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Kill and restart; measure the time to the next report, and find the epochs that are trained twice."""
        assert self.search is not None
        running = list(self.state.running.values())
        if victim == "worker" and any(trial.retries for trial in running):
            victim = "search"  # a trial that loses its worker twice fails by design; the uninterrupted run has no such trial
        workers, reports = self.workers(), self.look()
        epochs_before = {number: _trained_epochs(self.folder, number) for number in self.state.running}
        if victim != "search":
            for pid in workers:
                _kill(pid)
        if victim != "worker":
            _kill(self.search.pid)
            self.search.wait()
            meanwhile()
        began = time.monotonic()
        if victim != "worker":
            self.start()
        self.wait_for(reports + 1)
        self.killed[victim] += 1
        if victim != "worker":
            self.resumed.append(time.monotonic() - began)
        self._count(epochs_before)

    def _count(self, epochs_before: dict[int, list[int]]) -> None:
        """Count the rung intervals whose epochs were trained twice."""
        edges = rungs(PrunePlan().cut_epoch(EPOCHS) + 1, EPOCHS)
        for number, before in epochs_before.items():
            again = {epoch for epoch in _trained_epochs(self.folder, number)[len(before) :] if epoch in set(before)}
            self.lost.append(len({sum(epoch > edge for edge in edges) for epoch in again}))

    def leftover(self) -> int:
        """Kill the processes that still exist after five seconds, and return their number."""
        until = time.monotonic() + 5.0
        while (alive := [pid for pid in self.seen if _alive(pid)]) and time.monotonic() < until:
            time.sleep(0.05)
        for pid in alive:
            _kill(pid)
        return len(alive)


def run(n: int = 30, trials: int = 60, seed: int = 0) -> Result:
    """Kill a search `n` times and compare it with an uninterrupted one.

    Args:
        n: Number of kills.
        trials: Number of trials of the search.
        seed: Seed of the search and of the times of kills.
    """
    with tempfile.TemporaryDirectory() as temporary:
        uninterrupted = _Run(begin(Path(temporary) / "uninterrupted", trials, seed), random.Random(seed))
        began = time.monotonic()
        uninterrupted.start()
        assert uninterrupted.search is not None
        uninterrupted.search.wait(LONGEST * 4)
        uninterrupted_seconds, reports = time.monotonic() - began, uninterrupted.look()

        home = Path(temporary) / "killed"
        killed_run = _Run(begin(home, trials, seed), random.Random(seed))
        tracker = Tracker(Journal(killed_run.folder / "journal.jsonl"), home)
        began = time.monotonic()
        _kill_repeatedly(killed_run, n, reports, tracker)
        killed_seconds = time.monotonic() - began
        tracker.catch_up()
        zombies = len(killed_run.state.running) + _running_runs(home) + killed_run.leftover() + uninterrupted.leftover()
        equal = _table(killed_run.state) == _table(uninterrupted.state) and killed_run.state.ended is not None
        ends = [StudyState.replay(Journal(entry.folder / "journal.jsonl")).ended for entry in (uninterrupted, killed_run)]
        chosen = [ended.chosen for ended in ends if ended]
    text = ", ".join(f"{count} of the {victim}" for victim, count in killed_run.killed.items())
    return Result(
        figures=[
            Figure(name="kills", value=sum(killed_run.killed.values())),
            Figure(name="tables_equal", value=float(equal and len(set(chosen)) == 1), target="1"),
            Figure(name="rungs_lost_max", value=max(killed_run.lost, default=0), target="<= 1"),
            Figure(name="zombies", value=zombies, target="0"),
            Figure.of("resume_s", killed_run.resumed or [0.0], unit="s"),
        ],
        notes=[
            f"kill -9 at random times ({text}) of a search of {trials} trials; one worker, so that the order of results is fixed.",
            f"The uninterrupted search took {uninterrupted_seconds:.1f} s, the one with {n} kills {killed_seconds:.1f} s.",
            f"Epochs were trained twice after {sum(map(bool, killed_run.lost))} of the kills.",
            "resume_s: from restarting the search to the first new report of a trial, including Python's start.",
            "A trial that has lost its worker once is not killed again (the search is killed instead), as it would fail.",
            "Another process writes to MLflow; it is not killed.",
        ],
    )


def _kill_repeatedly(killed_run: _Run, n: int, reports: int, tracker: Tracker) -> None:
    """Kill at random times, spread over the reports of an uninterrupted search; then let it end."""
    moments = sorted(killed_run.rng.sample(range(1, reports - 1), n))
    killed_run.start()
    for number, moment in enumerate(moments):
        killed_run.wait_for(moment)
        time.sleep(killed_run.rng.uniform(0.0, 0.03))
        if killed_run.state.ended is None:
            killed_run.kill(killed_run.rng.choice(VICTIMS), tracker.catch_up if number % 5 == 0 else lambda: None)
    assert killed_run.search is not None
    killed_run.workers()
    killed_run.search.wait(LONGEST * 2)
    killed_run.look()


def _table(state: StudyState) -> list[Any]:
    """The results of a search."""
    return [
        (
            trial.number,
            trial.proposed.config,
            trial.status,
            trial.epochs,
            trial.result and (trial.result.scores, trial.result.reason),
        )
        for trial in state.trials.values()
    ]


def _running_runs(home: Path) -> int:
    with opened_store(home) as store:
        runs = store.client.search_runs([store.experiment(STUDY)], max_results=5000)
    return sum(entry.info.status == "RUNNING" for entry in runs)


def _trained_epochs(folder: Path, trial: int) -> list[int]:
    try:
        lines: Sequence[str] = (trial_folder(folder, trial) / WALKED).read_text().split()
    except FileNotFoundError:
        return []
    return [int(line) for line in lines]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
