"""A search in this process, with its windows: the terminal and the tracker."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from lepton_automl.errors import LeptonError
from lepton_automl.events import StudyConfig
from lepton_automl.home import Home
from lepton_automl.journal import Journal
from lepton_automl.reporting.plots import front_html
from lepton_automl.reporting.tables import front_table
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
        with Background(folder / "journal.jsonl", home) as tracker:
            try:
                run_study(config, folder, window)
            except LeptonError:
                if not (folder / "journal.jsonl").exists():  # nothing was earned yet, so nothing is left behind
                    shutil.rmtree(folder, ignore_errors=True)
                raise
        for trouble in tracker.finish(study):
            window.note(trouble)
    return study.state


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
        self._trouble: Exception | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Look at the journal every few seconds; what fails now is tried again at the next look."""
        while not self._over.wait(EVERY):
            try:
                self.tracker.catch_up()
                self._trouble = None
            except Exception as error:  # a locked or absent store must not end the search; the journal has it all
                self._trouble = error

    def finish(self, study: Study) -> list[str]:
        """Bring MLflow up to the journal's end, hand over the picture of the front, register the chosen model.

        Returns:
            What went wrong, in words; the study itself is safe in its journal.
        """
        state = study.state
        try:
            self.tracker.catch_up()
            self.tracker.attach("front.html", front_html(state))
            self.tracker.attach_table("front", front_table(state))
            if state.ended and state.ended.chosen is not None:
                study.register()
                self.tracker.catch_up()
        except Exception as error:
            return [f"MLflow could not be brought up to date ({type(error).__name__}: {error}); the study itself is complete."]
        return []
