"""What a study leaves in MLflow: its trials while it runs, its front and its chosen model at the end."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from lepton_automl.errors import LeptonError
from lepton_automl.events import Noted
from lepton_automl.home import Home
from lepton_automl.journal import Journal
from lepton_automl.tracking.tracker import Tracker

from .study import Study

EVERY = 3.0  # seconds between the tracker's looks at the journal
REFRESH = 60.0  # seconds between refreshed pictures of the front
GUESS = 0.5  # seconds that such a refresh takes, before one was timed
FAREWELL = 2.0  # seconds for the last words of trials and workers
MIRRORS = (
    11.0  # what the rest of the end costs, in refreshes: a last one, the first registration, which is six, the report, four
)


def hand_over(folder: Path) -> None:
    """The whole study and its chosen model in MLflow; what fails there takes nothing from the study itself."""
    study = Study(folder.name, Home(folder.parents[1]))
    try:
        study.mirror()
        if study.state.ended and study.state.ended.chosen is not None:
            study.register()
        study.attach_report()
    except Exception as error:
        what = f"MLflow could not be brought up to date ({type(error).__name__}: {error}); the study itself is complete"
        study.note(Noted(at=time.time(), text=what, level="warning"))


class Background(threading.Thread):
    """Projects the journal into MLflow while the search runs. The search never waits for it, nor hears of its troubles.

    Each minute it also attaches the front as it stands, which shows how long the end will take.

    Args:
        folder: The study's folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(name="tracker", daemon=True)
        self.study = Study(folder.name, Home(folder.parents[1]))
        self.tracker = Tracker(Journal(folder / "journal.jsonl"), folder.parents[1])
        self._over = threading.Event()
        self._mirrored, self._took = -REFRESH, GUESS

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self.join()

    def reserve(self) -> float:
        """Seconds that the end of the study will take, by what a look at the front in MLflow took last."""
        return FAREWELL + MIRRORS * self._took

    def run(self) -> None:
        """Look at the journal every few seconds, and once more at the end.

        What fails now is tried again at the next look: the journal has it all.
        """
        over = False
        while not over:
            over = self._over.wait(EVERY)
            with contextlib.suppress(LeptonError):
                self.tracker.catch_up()
                if not over and time.monotonic() > self._mirrored + REFRESH and self.study.state.front():
                    self._mirror()

    def _mirror(self) -> None:
        """Attach the front as it stands; the first time is slower, by what is loaded for it."""
        for _ in range(1 if self._mirrored > 0 else 2):
            began = time.monotonic()
            self.study.mirror()
            self._mirrored = time.monotonic()
            self._took = self._mirrored - began
