"""A search in this process, with its windows: the terminal and the tracker."""

from __future__ import annotations

import contextlib
import shutil
import threading
import warnings
from pathlib import Path
from types import TracebackType
from typing import Self

from lepton_automl.errors import LeptonError
from lepton_automl.events import StudyConfig
from lepton_automl.home import Home
from lepton_automl.journal import Journal
from lepton_automl.reporting.terminal import Progress
from lepton_automl.state import StudyState
from lepton_automl.tracking.tracker import Tracker

from .run import run_study
from .study import Study

EVERY = 3.0  # seconds between the tracker's looks at the journal


def launch(config: StudyConfig, home: Home, *, progress: bool) -> StudyState:
    """Search; show it; track it; register the chosen model.

    Args:
        config: What was asked; the study's folder and data exist.
        home: Where the study lives.
        progress: Whether to show how it goes.

    Returns:
        The study at its end.
    """
    folder = home.path(config.name)
    study = Study(config.name, home)
    with Progress(shown=progress) as window:
        for note in (*config.data.notes, *config.data.warnings):
            window.note(note)
        with Background(folder / "journal.jsonl", home):
            try:
                run_study(config, folder, window)
            except BaseException:
                if not (folder / "journal.jsonl").exists():  # nothing was earned yet, so nothing is left behind
                    shutil.rmtree(folder, ignore_errors=True)
                raise
    _hand_over(study)
    return study.state


def _hand_over(study: Study) -> None:
    """The whole study and its chosen model in MLflow; what fails there takes nothing from the study itself."""
    try:
        study.mirror()
        if study.state.ended and study.state.ended.chosen is not None:
            study.register()
    except Exception as error:
        what = f"MLflow could not be brought up to date ({type(error).__name__}: {error}); the study itself is complete"
        warnings.warn(what, stacklevel=2)


class Background(threading.Thread):
    """Projects the journal into MLflow while the search runs. The search never waits for it, nor hears of its troubles.

    Args:
        path: The journal.
        home: Where the store lies.
    """

    def __init__(self, path: Path, home: Home) -> None:
        super().__init__(name="tracker", daemon=True)
        self.tracker = Tracker(Journal(path), home.folder)
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Look at the journal every few seconds, and once more at the end.

        What fails now is tried again at the next look: the journal has it all.
        """
        over = False
        while not over:
            over = self._over.wait(EVERY)
            with contextlib.suppress(LeptonError):
                self.tracker.catch_up()
