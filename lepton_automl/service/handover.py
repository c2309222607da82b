"""What a study leaves in MLflow: its trials while it runs, its front and its chosen model at the end."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from lepton_automl.errors import LeptonError
from lepton_automl.events import Noted
from lepton_automl.home import Home, study_journal
from lepton_automl.tracking.rebuild import rebuild_lost
from lepton_automl.tracking.store import RefusedError
from lepton_automl.tracking.tracker import Tracker

from .study import EVERY, Study

REFRESH = 60.0  # seconds between refreshed pictures of the front
GUESS = 0.5  # seconds that such a refresh takes, before one was timed
FAREWELL = 2.0  # seconds for the last words of trials and workers
PATIENCE = 60.0  # seconds without MLflow, before a person is told
REFUSALS = 2  # looks in a row that MLflow refuses, before a person is told
SWITCH = 0.0005  # seconds until the search has the interpreter back; Python's usual 0.005 was seen to cost it 7.5 ms a trial
LAST = 20.0  # seconds that the last look at the journal may take
MODELS = 0.5  # what a model of the front costs that is logged, in refreshes
MIRRORS = 11.0  # what else the end costs, in refreshes: a last one, the first registration (six), the report (four)


def hand_over(folder: Path) -> None:
    """The whole study and its chosen model in MLflow; what fails there takes nothing from the study itself."""
    study = Study(folder.name, Home(folder.parents[1]))
    try:
        study.mirror()
        study.log_models()
        if study.state.ended and study.state.ended.chosen is not None:
            study.register()
        study.attach_report()
        if study.state.untracked:
            study.note(Noted(at=time.time(), text="MLflow is up to date again", subject="mlflow"))
    except Exception as error:
        reason = error.what if isinstance(error, LeptonError) else f"{type(error).__name__}: {error}"
        fix = f"lepton sync {study.name} brings it up later; Study({study.name!r}).register() registers the chosen model"
        what = f"MLflow could not be brought up to date ({reason}); the study itself is complete. {fix}"
        study.note(Noted(at=time.time(), text=what, level="warning", subject="mlflow"))


class Background(threading.Thread):
    """Projects the journal into MLflow while the search runs. The search never waits for it, nor hears of its troubles.

    Each minute it also attaches the front as it stands, which shows how long the end will take.

    Args:
        folder: The study's folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(name="tracker", daemon=True)
        self.study = Study(folder.name, Home(folder.parents[1]))
        self.tracker = Tracker(study_journal(folder), folder.parents[1])
        self._over = threading.Event()
        self._mirrored, self._took = -REFRESH, GUESS
        self._mended = False  # whether the store was seen to be there
        self._well, self._told, self._refusals = time.monotonic(), False, 0

    def __enter__(self) -> Self:
        self._switch = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self.join(LAST)  # a store that hangs holds nothing up; what is cut off here is written by the next who comes
        sys.setswitchinterval(self._switch)

    def reserve(self) -> float:
        """Seconds that the end of the study will take, by what a look at the front in MLflow took last."""
        return FAREWELL + (MIRRORS + MODELS * len(self.study.state.front())) * self._took

    def run(self) -> None:
        """Look at the journal every few seconds, and once more at the end.

        What fails now is tried again at the next look: the journal has it all.
        """
        over = False
        while not over:
            over = self._over.wait(EVERY)
            try:
                if self.tracker.catch_up() and not self._mended and not self.tracker.place.uri:
                    rebuild_lost(self.study.home.folder)
                    self._mended = True
                if not over and time.monotonic() > self._mirrored + REFRESH and self.study.state.front():
                    self._mirror()
                self._stands_well()
            except LeptonError as error:
                self._tell(error)

    def _tell(self, error: LeptonError) -> None:
        """Tell, once, that MLflow refuses the study or has been away for a while; at the end, `hand_over` does."""
        self._refusals = self._refusals + 1 if isinstance(error, RefusedError) else 0
        if self._told or (self._refusals < REFUSALS and time.monotonic() < self._well + PATIENCE):
            return
        self._told = True
        if self._refusals:
            what = f"MLflow refuses this study ({error.what}); the search goes on. {error.fix}"
        else:
            what = f"MLflow has been away for {PATIENCE:.0f} s ({error.what}); the search goes on, and all is written once it is back"
        self._note(what, "warning")

    def _stands_well(self) -> None:
        """All is written; told where it was told that it was not."""
        self._well, self._refusals = time.monotonic(), 0
        if self._told:
            self._told = False
            self._note("MLflow is up to date again", "info")

    def _note(self, text: str, level: str) -> None:
        with contextlib.suppress(LeptonError):
            self.study.note(Noted(at=time.time(), text=text, level=level, subject="mlflow"))

    def _mirror(self) -> None:
        """Attach the front as it stands; the first time is slower, by what is loaded for it."""
        for _ in range(1 if self._mirrored > 0 else 2):
            began = time.monotonic()
            self.study.mirror()
            self._mirrored = time.monotonic()
            self._took = self._mirrored - began
