"""Publishing a study in MLflow: its trials while it runs, its front and its chosen model at the end.

This runs in a process of its own, so that neither MLflow's work nor its imports take time from the search:
`python -m lepton_automl.study.publish FOLDER`, which `Publisher` starts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn, TextIO

from lepton_automl.errors import LeptonError
from lepton_automl.events import Noted
from lepton_automl.study_store import StudyStore, study_journal
from lepton_automl.tracking.rebuild import rebuild_lost
from lepton_automl.tracking.store import RefusedError, opened_store
from lepton_automl.tracking.store_lock import use_short_timeouts
from lepton_automl.tracking.tracker import Tracker

from .client import StudyClient
from .models import StudyModels
from .tracking import EVERY, StudyTracking

FINISH, LEAVE = b"finish", b"leave"  # requests: a last update and the study's end; a last update only
HEARTBEAT = 2.0  # seconds between two lines that show that this process is alive
SHARE = 0.015  # of one core's time that updates take at most, apart from the plots; the pause after an update follows from it
LONGEST = 20.0  # seconds between two updates at most
REFRESH = 60.0  # seconds between refreshes of the plots of the front
FIRST = 30.0  # seconds until the first refresh, and until the second, which is timed; a study that ends before needs only the last one
GUESS = 0.5  # seconds assumed for a refresh before one was timed
FAREWELL = 2.0  # seconds for the last messages of trials and workers
PATIENCE = 60.0  # seconds without MLflow before the user is warned
REFUSALS = 2  # updates in a row that MLflow refuses before the user is warned
MODELS = 0.5  # cost of logging one model of the front, in refreshes
MIRRORS = 11.0  # cost of the rest of the end, in refreshes: a last one, the first registration (six), the report (four)


def reserve(front: int = 0, refresh: float = GUESS) -> float:
    """Estimated seconds that the end of a study takes.

    Args:
        front: Number of models on the front.
        refresh: Seconds that the last refresh of the front in MLflow took.
    """
    return FAREWELL + (MIRRORS + MODELS * front) * refresh


def publish_end(folder: Path) -> None:
    """Write the whole study and its chosen model to MLflow; a failure is noted and does not affect the study itself."""
    study = StudyClient(folder.name, StudyStore(folder.parents[1]))
    tracking = StudyTracking(study)
    try:
        tracking.mirror()
        tracking.log_models()
        if study.state.ended and study.state.ended.chosen is not None:
            StudyModels(study).best().register()
        tracking.attach_report()
        if study.state.mlflow_trouble:
            study.note(Noted(at=time.time(), text="MLflow is up to date again", subject="mlflow"))
    except Exception as error:
        reason = error.what if isinstance(error, LeptonError) else f"{type(error).__name__}: {error}"
        fix = f"lepton sync {study.name} writes it later; open_study({study.name!r}).register() registers the chosen model"
        what = f"The study could not be written to MLflow ({reason}); the study itself is complete. {fix}"
        study.note(Noted(at=time.time(), text=what, level="warning", subject="mlflow"))


class Publishing:
    """Writes the journal to MLflow while the search runs; the search never waits for it and never sees its errors.

    Each minute it also attaches the current front, which shows how long the end will take.

    Args:
        folder: The study's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.study = StudyClient(folder.name, StudyStore(folder.parents[1]))
        self.tracker = Tracker(study_journal(folder), folder.parents[1])
        self.over = threading.Event()
        self.reserve = reserve()
        self.first_cpu = 0.0  # CPU seconds of this process until its first update: mostly imports
        self._mirrored, self._refreshed = time.monotonic() + FIRST - REFRESH, False
        self._store_checked = False  # whether a lost store was looked for, and rebuilt
        self._last_success, self._is_reported, self._refusals = time.monotonic(), False, 0

    def follow(self) -> None:
        """Update MLflow every few seconds until the search is over, and once more then.

        Whatever fails is tried again at the next update, from the journal.
        """
        over = self.over.wait(EVERY)
        while not over and not study_journal(self.study.folder).path.exists():
            over = self.over.wait(EVERY)  # MLflow's imports would disturb the host benchmark, and there is nothing to write yet
        with contextlib.suppress(LeptonError):
            _load(self.study.home.folder, self.study.state.settings.tracking.uri)
        self.first_cpu = time.process_time()
        while True:
            cost = self._update(over=over)
            if over:
                return
            over = self.over.wait(min(max(EVERY, cost / SHARE), LONGEST))

    def _update(self, *, over: bool) -> float:
        """Write what is new; returns the CPU seconds that it took, without the plots."""
        began, cost = time.thread_time(), None
        try:
            written = self.tracker.catch_up()
            cost = time.thread_time() - began
            if written and not self._store_checked and not self.tracker.place.uri:
                rebuild_lost(self.study.home.folder)
                self._store_checked = True
            if not over and time.monotonic() > self._mirrored + REFRESH and self.study.state.front():
                self._mirror()
            self._note_success()
        except LeptonError as error:
            self._note_failure(error)
        return time.thread_time() - began if cost is None else cost

    def send(self, lines: TextIO) -> None:
        """Write the status of this process as one line of JSON; the reader may be gone."""
        facts = {"reserve": self.reserve, "cpu": time.process_time(), "first_cpu": self.first_cpu}
        with contextlib.suppress(OSError):
            print(json.dumps(facts), file=lines, flush=True)

    def _note_failure(self, error: LeptonError) -> None:
        """Note, once, that MLflow refuses the study or has not responded for a while; at the end, `publish_end` does."""
        self._refusals = self._refusals + 1 if isinstance(error, RefusedError) else 0
        if self._is_reported or (self._refusals < REFUSALS and time.monotonic() < self._last_success + PATIENCE):
            return
        self._is_reported = True
        if self._refusals:
            what = f"MLflow refuses this study ({error.what}); the search continues. {error.fix}"
        else:
            what = f"MLflow has not responded for {PATIENCE:.0f} s ({error.what}); the search continues, and everything is written once it responds"
        self._note(what, "warning")

    def _note_success(self) -> None:
        """Note that MLflow is up to date again, if the contrary was noted."""
        self._last_success, self._refusals = time.monotonic(), 0
        if self._is_reported:
            self._is_reported = False
            self._note("MLflow is up to date again", "info")

    def _note(self, text: str, level: str) -> None:
        with contextlib.suppress(LeptonError):
            self.study.note(Noted(at=time.time(), text=text, level=level, subject="mlflow"))

    def _mirror(self) -> None:
        """Attach the current front; the first refresh is not timed, because it imports modules."""
        began = time.monotonic()
        StudyTracking(self.study).attach_front(self.tracker)
        ended = time.monotonic()
        took = ended - began if self._refreshed else GUESS
        self._mirrored = ended if self._refreshed else ended + FIRST - REFRESH
        self._refreshed = True
        self.reserve = reserve(len(self.study.state.front()), took)


def _load(home: Path, uri: str) -> None:
    """Import slow modules, so that no update is charged with it; MLflow imports its database when it opens a store."""
    import lepton_automl.reporting.plots  # noqa: F401

    with opened_store(home, uri):
        pass


def main() -> NoReturn:
    """Publish the study in the given folder, until the search that started this process requests the end."""
    parser = argparse.ArgumentParser(description="Writes a running study to MLflow.")
    parser.add_argument("folder", type=Path, help="the study's folder")
    folder = parser.parse_args().folder
    use_short_timeouts(os.environ)
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to the log
    publishing, request = Publishing(folder), [LEAVE]
    threading.Thread(target=_serve_requests, args=(publishing, lines, request), daemon=True).start()
    publishing.follow()
    publishing.send(lines)
    if request == [FINISH]:
        publish_end(folder)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # the study would wait a second for the teardown of MLflow's modules


def _serve_requests(publishing: Publishing, lines: TextIO, request: list[bytes]) -> None:
    """Receive the search's request, and send it the status of this process; exit if the search ends without a request."""
    while True:
        if select.select([0], [], [], HEARTBEAT)[0]:
            received = os.read(0, 64).strip()
            if not received:
                os._exit(1)  # the search is gone
            request[0] = received
            publishing.over.set()
        publishing.send(lines)


if __name__ == "__main__":
    main()
