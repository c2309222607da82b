"""What every handle on a study knows: where it lives, what its journal says, and whether its process is alive."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Literal, Self

from lepton_automl.errors import StudyError
from lepton_automl.events import Event, StudyConfig
from lepton_automl.home import ASKED, Home
from lepton_automl.journal import Journal
from lepton_automl.state import StudyState

from .launch import left_error

Status = Literal["starting", "running", "paused", "ending", "ended", "lost"]


class Handle:
    """A study by its name. Reads, and holds nothing open.

    Args:
        name: The study's name.
        home: Where it lives; by default `$LEPTON_HOME`, else `mlruns`.
    """

    def __init__(self, name: str, home: str | Path | Home | None = None) -> None:
        self.home = home if isinstance(home, Home) else Home(home)
        self._name = name
        self._state, self._offset = StudyState(), 0
        self._reading = threading.Lock()  # callbacks may look from a thread of their own

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"

    @property
    def name(self) -> str:
        """The study's name."""
        return self._name

    @property
    def folder(self) -> Path:
        """Where the study's files lie."""
        return self.home.path(self.name)

    @property
    def state(self) -> StudyState:
        """Everything known, up to the journal's last event.

        Raises:
            StudyError: There is no such study.
            LeptonError: It could not begin; the error says why, as `LimitError` does.
        """
        self._read()
        return self._state

    def check(self) -> Self:
        """This handle, if there is such a study; nothing is read yet.

        Raises:
            LeptonError: As `state` does.
        """
        self._journal()
        return self

    def look(self) -> tuple[Status, StudyState, list[Event]]:
        """How the study stands, its state, and the events since the last look by whatever name.

        A window that draws the state from a thread has a handle of its own: others would change the state meanwhile.

        Raises:
            LeptonError: As `state` does.
        """
        alive = self.home.running(self.name)  # before the look, so that no last word is missed
        news = self._read()
        return self._status(alive=alive), self._state, news

    def _read(self) -> list[Event]:
        """Take in what has happened since the last look."""
        if not self._name:
            raise StudyError("nothing was searched yet", where="AutoML", fix="Call fit(data) first.")
        news = []
        with self._reading:
            try:
                for offset, event in self._journal().read(self._offset):
                    self._state.apply(event)
                    self._offset = offset
                    news.append(event)
            except KeyboardInterrupt:  # an event may be taken in by half: all is read anew
                self._state, self._offset = StudyState(), 0
                raise
        return news

    def _journal(self) -> Journal:
        """The journal; it may not exist yet where a process is about to begin it."""
        path = self.folder / "journal.jsonl"
        if path.exists():
            return Journal(path)
        if not self.home.running(self.name):
            if not path.exists() and (error := left_error(self.folder)):
                raise error
            return self.home.journal(self.name)
        if self._state.config is None and (self.folder / ASKED).exists():
            self._state.config = StudyConfig.from_json(json.loads((self.folder / ASKED).read_text()))
        return Journal(path)

    @property
    def status(self) -> Status:
        """How the study stands: `"starting"` until its machine is weighed, `"running"`, `"paused"`, `"ending"` while its
        chosen model is handed over, `"ended"`, or `"lost"`: its process is gone before its end, and `resume` takes it up.
        """
        return self.look()[0]

    def _status(self, *, alive: bool) -> Status:
        state = self._state
        if not alive:
            return "ended" if state.ended else "lost"
        if state.weighed is None:
            return "starting"
        return "ending" if state.ended else "paused" if state.paused else "running"

    def note(self, event: Event) -> None:
        """Write an event into the study's journal."""
        self.home.journal(self.name).append(event)
