"""What is missing or duplicated in MLflow after its server was killed, its file was locked, or the writing process was killed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lepton_automl.execution.simulated import SimulatedExecutor
from lepton_automl.journal import Journal
from lepton_automl.specs import Budget
from lepton_automl.state import StudyState
from lepton_automl.study.runner import search
from lepton_automl.study_store import StudyStore
from lepton_automl.tracking.projector import STUDY, TRIAL, study_uid
from lepton_automl.tracking.store import opened_store
from lepton_automl.tracking.store_lock import use_short_timeouts
from lepton_automl.tracking.tracking_uri import SQLITE, tracking_uri

from .made_up import recorded, study, weighed
from .report import Figure, Result
from .servers import MlflowServer

NAME, BEGAN = "virtual", 1.7e9  # simulated clocks start at a time that MLflow accepts
LONGEST = 600.0  # maximum seconds from the end of the outage until everything has arrived


def run(trials: int = 300, seconds: float = 60.0, kills: int = 20, seed: int = 0) -> Result:
    """Let a study's journal grow while MLflow or the writing process is down, then count the entries.

    The writer is the separate process `lepton sync STUDY --follow`; the journal is that of a simulated study, written line by line
    for one and a half times as long as the outage lasts.

    Args:
        trials: Trials of the study.
        seconds: How long the server is down and the file locked.
        kills: Number of SIGKILLs of the writer.
        seed: Seed of their times.
    """
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as temporary:
        lines = journal_of(Path(temporary), trials)
        outcomes = {
            "server_killed": _server_killed(Path(temporary) / "server", lines, seconds),
            "file_locked": _file_locked(Path(temporary) / "locked", lines, seconds),
            "writer_killed": _writer_killed(Path(temporary) / "writer", lines, kills, chance),
        }
    figures = [
        Figure(name="missing", value=sum(len(outcome.missing) for outcome in outcomes.values()), target="0"),
        Figure(name="duplicated", value=sum(len(outcome.doubled) for outcome in outcomes.values()), target="0"),
        *(Figure(name=f"arrived_after_s_{name}", value=outcome.late, unit="s") for name, outcome in outcomes.items()),
    ]
    text = ", ".join(
        f"{outcome.counted['runs']} runs, {outcome.counted['points']} points, {outcome.counted['tags']} tags"
        for outcome in outcomes.values()
    )
    worst = [
        f"{name}: {list(outcome.missing | outcome.doubled)[:3]}"
        for name, outcome in outcomes.items()
        if outcome.missing or outcome.doubled
    ]
    return Result(
        figures=figures,
        notes=[
            f"Counted in the stores' own tables ({text}), against the journal of {trials} trials.",
            f"The server was down for {seconds:g} s, the file locked for {seconds:g} s.",
            f"Of {kills} kills of the writer, {outcomes['writer_killed'].hits} interrupted a write.",
            "arrived_after_s: from the end of the journal and of the outage until everything has arrived.",
            *worst,
        ],
    )


@dataclass
class Found:
    """The final content of a store."""

    late: float
    missing: set[Any]
    doubled: set[Any]
    counted: Counter[str]
    hits: int = 0


@dataclass
class Growing:
    """A study whose journal is written gradually by a thread."""

    home: StudyStore
    lines: list[bytes]
    seconds: float
    uri: str = ""
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def journal(self) -> Journal:
        """Its journal."""
        return Journal(self.home.path(NAME) / "journal.jsonl")

    @contextlib.contextmanager
    def grows(self) -> Iterator[None]:
        """Mark the study as running while it grows and during the outage, so that followers continue."""
        self.home.create(NAME)
        self._append(self.lines[:2])  # its start
        with self.home.lock(NAME):
            writer = threading.Thread(target=self._write)
            writer.start()
            yield
            writer.join()

    def _write(self) -> None:
        began = time.monotonic()
        for number, line in enumerate(self.lines[2:]):
            due = began + self.seconds * number / len(self.lines)
            time.sleep(max(0.0, due - time.monotonic()))
            self._append([line])

    def _append(self, lines: list[bytes]) -> None:
        with open(self.journal.path, "ab") as file:
            file.writelines(lines)

    def follow(self) -> subprocess.Popen[bytes]:
        """Start the writer as a user would."""
        words = ["sync", NAME, "--follow", *(["--tracking-uri", self.uri] if self.uri else [])]
        environment = {**os.environ, "LEPTON_HOME": str(self.home.folder)}
        use_short_timeouts(environment)
        with open(self.home.folder / "sync.log", "ab") as log:
            return subprocess.Popen([sys.executable, "-m", "lepton_automl", *words], env=environment, stdout=log, stderr=log)

    def settle(self, writer: subprocess.Popen[bytes]) -> float:
        """Return the seconds until the writer has ended; a writer that gave up is restarted, as a user would do."""
        began = time.monotonic()
        while writer.wait(LONGEST) != 0:
            if time.monotonic() > began + LONGEST:
                raise RuntimeError(f"nothing arrives:\n{(self.home.folder / 'sync.log').read_text()[-2000:]}")
            writer = self.follow()
        return time.monotonic() - began


def journal_of(folder: Path, trials: int) -> list[bytes]:
    """The journal lines of a simulated study."""
    home = StudyStore(folder / "made-up")
    executor = SimulatedExecutor(2, recorded, weighed(1.0), began=BEGAN)
    search(study(Budget(trials=trials)), home.create(NAME), executor)
    return (home.path(NAME) / "journal.jsonl").read_bytes().splitlines(keepends=True)


def _server_killed(folder: Path, lines: list[bytes], seconds: float) -> Found:
    folder.mkdir()
    with MlflowServer(folder) as server:
        growing = Growing(StudyStore(folder / "home"), lines, 1.5 * seconds, server.uri)
        with growing.grows():
            writer = growing.follow()
            _until(lambda: _rows(server.database, "select count(*) from runs")[0][0] > 1)
            server.kill()
            time.sleep(seconds)
            server.start()
        late = growing.settle(writer)
        return _counted(growing, server.database, late)


def _file_locked(folder: Path, lines: list[bytes], seconds: float) -> Found:
    folder.mkdir()
    growing = Growing(StudyStore(folder), lines, 1.5 * seconds)
    file = Path(tracking_uri(folder).removeprefix(SQLITE))
    with opened_store(folder):
        pass  # create its tables
    with growing.grows():
        writer = growing.follow()
        _until(lambda: _rows(file, "select count(*) from runs")[0][0] > 1)
        with contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
    return _counted(growing, file, growing.settle(writer))


def _writer_killed(folder: Path, lines: list[bytes], kills: int, chance: random.Random) -> Found:
    """Kill each writer shortly after it has begun to write, so that a write is interrupted."""
    folder.mkdir()
    growing = Growing(StudyStore(folder), lines, 6.0 * kills)
    file = Path(tracking_uri(folder).removeprefix(SQLITE))
    with opened_store(folder):
        pass
    hits = 0
    with growing.grows():
        for _ in range(kills):
            before, writer = _rows(file, "select count(*) from runs")[0][0], growing.follow()
            _until(lambda: _rows(file, "select count(*) from runs")[0][0] > before or writer.poll() is not None)  # noqa: B023  # called before the next iteration
            time.sleep(chance.uniform(0.0, 0.5))
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            hits += _half_done(growing, file)
    outcome = _counted(growing, file, growing.settle(growing.follow()))
    outcome.hits = hits
    return outcome


def _half_done(growing: Growing, file: Path) -> bool:
    """Whether there are trials that the study's own record does not include yet."""
    offset = next(iter(_rows(file, "select value from tags where key = 'lepton.offset'")), ("0",))[0]
    partial = StudyState().feed(event for at, event in growing.journal.read() if at <= int(offset))
    return len(partial.trials) - len(partial.running) < int(
        _rows(file, f"select count(*) from tags where key = '{TRIAL}'")[0][0]
    )


def _counted(growing: Growing, file: Path, late: float) -> Found:
    """Compare the journal with a store's own tables."""
    state = StudyState.replay(growing.journal)
    there = Counter(value for (value,) in _rows(file, f"select value from tags where key in ('{TRIAL}', '{STUDY}')"))
    uids = dict(_rows(file, f"select run_uuid, value from tags where key in ('{TRIAL}', '{STUDY}')"))
    rows = _rows(file, "select run_uuid, key, step, timestamp from metrics")
    moments = Counter((uids[run], name, step, at) for run, name, step, at in rows)
    points = {(uid, name, step) for uid, name, step, _ in moments}
    tags = {(uids[run], name, value) for run, name, value in _rows(file, "select run_uuid, key, value from tags")}
    runs, curves, tags_expected = _expected(state)
    missing: set[Any] = {*(runs - there.keys()), *(curves - points), *(tags_expected - tags)}
    doubled: set[Any] = {key for key, count in [*there.items(), *moments.items()] if count > 1}
    return Found(late, missing, doubled, Counter(runs=len(there), points=len(moments), tags=len(tags)))


def _expected(state: StudyState) -> tuple[set[str], set[tuple[str, str, int]], set[tuple[str, str, str]]]:
    """The runs, curve points and tags that the journal implies."""
    assert state.started is not None and state.ended is not None
    own, metric = study_uid(state.started), state.settings.metric
    runs, points, tags = {own}, set(), {(own, "lepton.status", "ended"), (own, "lepton.reason", state.ended.reason)}
    points |= {(own, "front_size", step) for step in range(1, state.ends + 1)}
    for trial in state.trials.values():
        assert trial.result is not None
        uid = trial.proposed.uid
        runs.add(uid)
        points |= {(uid, metric, report.epoch) for report in trial.reports if metric in report.scores}
        points.add((uid, "seconds", trial.result.epochs))
        tags |= {(uid, "lepton.status", trial.result.status), (uid, "lepton.trial", str(trial.number))}
        if trial.status == "complete":
            tags.add((uid, "lepton.on_front", "true" if trial in state.front() else "false"))
    return runs, points, tags


def _rows(file: Path, query: str) -> list[Any]:
    # Opened for writing: the first connection after a kill rolls back an unfinished transaction.
    with contextlib.closing(sqlite3.connect(file, timeout=30)) as store:
        return store.execute(query).fetchall()


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST
    while not true():
        if time.monotonic() > until:
            raise RuntimeError("the expected condition was not reached in time")
        time.sleep(0.05)
