"""What every handle on a study knows: where it lives, what its journal says, and whether its process is alive."""

from __future__ import annotations

import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from lepton_automl.errors import StudyError
from lepton_automl.events import Event, Noted
from lepton_automl.factory import TRUST
from lepton_automl.journal import Journal
from lepton_automl.state import StudyState
from lepton_automl.study_store import (
    JOURNAL,
    StudyStore,
    study_journal,
    trial_folder,
    trials_in,
)

from .expected_lines import ExpectedLines
from .launch import lost_process, read_error, requested_config

if TYPE_CHECKING:
    from .salvage import Salvage

LOOK = 0.02  # seconds between looks at what a study's process does
Status = Literal["starting", "running", "paused", "ending", "ended", "lost"]


class StudyClient:
    """A study by its name. Reads, and holds nothing open.

    Args:
        name: The study's name.
        home: Where it lives; by default `$LEPTON_HOME`, else `mlruns`.
    """

    def __init__(self, name: str, home: str | Path | StudyStore | None = None) -> None:
        self.home = home if isinstance(home, StudyStore) else StudyStore(home)
        self._name = name
        self._start_over()
        self._reading = threading.Lock()  # callbacks may look from a thread of their own

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"

    def _start_over(self) -> None:
        """Read everything anew at the next look."""
        self._state, self._offset, self._file = StudyState(), 0, 0
        self._damage: Salvage | None = None

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

    def poll(self) -> tuple[Status, StudyState, list[Event]]:
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
            raise StudyError("there is no search yet", where="AutoML", fix="Call fit(data) first.")
        with self._reading:
            try:
                return self._news()
            except KeyboardInterrupt:  # an event may be taken in by half
                self._start_over()
                raise

    def _news(self) -> list[Event]:
        journal = self._journal()
        self._see_file(journal.path)
        begins, wrong, last = self._offset == 0, False, None
        promised = ExpectedLines.by(self.folder) if begins else None  # before the look, as copies are written after the journal
        news: list[Event] = []
        lines = journal.lines(self._offset) if self._file or not (promised is None or promised.trials) else ()
        for at, line in enumerate(lines, 1):
            fits = line.event is None or self._state.apply(line.event)
            self._offset, last = line.end, line.number or at
            wrong = wrong or bool(line.fault) or not fits
            if line.event is not None and fits:
                news.append(line.event)
        lost = promised is not None and self._damage is None and not promised.is_held_by(self._state, last)
        return self._salvaged(begins=begins, news=news) if wrong or lost else news

    def _see_file(self, path: Path) -> None:
        """Read anew what another file has taken the place of, or what was cut off."""
        try:
            stat = path.stat()
        except OSError:
            stat = None
        known = stat.st_ino if stat and path.is_file() else 0
        if self._file and (known != self._file or (stat and stat.st_size < self._offset)):
            self._start_over()
        self._file = known

    def _salvaged(self, *, begins: bool, news: list[Event]) -> list[Event]:
        """Go on from all that is whole, and tell once what is not."""
        from .salvage import salvage

        salvaged = salvage(self.folder)
        self._damage, self._state = salvaged, salvaged.state
        if self._state.config is None:
            self._state.config = requested_config(self.folder)
        note = Noted(at=self._state.last_at, text=f"{salvaged.words}. {salvaged.fix}", level="warning")
        self._state.notes.append(note)
        warnings.warn(f"{self.name}: {note.text}", stacklevel=4)
        return [*(salvaged.events if begins else news), note]

    @property
    def damage(self) -> str:
        """What is wrong with the journal, in words; empty where nothing is.

        Raises:
            LeptonError: As `state` does.
        """
        self._read()
        return f"{self._damage.words}. {self._damage.fix}" if self._damage else ""

    def check_intact(self) -> None:
        """See that nothing is written behind a damage.

        Raises:
            StudyError: The journal is damaged.
        """
        self._read()
        if self._damage:
            raise self._damage.error()

    def check_trusted(self) -> None:
        """See that the code which the study carries may run here, before anything is started that needs it.

        Raises:
            StudyError: Its user has not said so.
        """
        for code in self.state.settings.code:
            if what := code.untrusted():
                raise StudyError(what, where=self.name, fix=TRUST.replace("STUDY", self.name))

    def _journal(self) -> Journal:
        """The journal; it may not exist yet where a process is about to begin it."""
        path = self.folder / JOURNAL
        if path.exists() or trials_in(self.folder):
            return study_journal(self.folder)
        if not self.home.running(self.name):
            if not path.exists() and (error := read_error(self.folder)):
                raise error
            return self.home.journal(self.name)
        if self._state.config is None:
            self._state.config = requested_config(self.folder)
        return study_journal(self.folder)

    @property
    def status(self) -> Status:
        """How the study stands: `"starting"` until its machine is weighed, `"running"`, `"paused"`, `"ending"` while its
        chosen model is handed over, `"ended"`, or `"lost"`: its process is gone before its end, and `resume` takes it up.
        """
        return self.poll()[0]

    def _status(self, *, alive: bool) -> Status:
        state = self._state
        if not alive:
            return "ended" if state.ended else "lost"
        if state.host_benchmark is None:
            return "starting"
        return "ending" if state.ended else "paused" if state.paused else "running"

    def bundle(self, trial: int) -> Path:
        """Where a finished trial's model lies; found from the study's own folder, which may have been moved."""
        return trial_folder(self.folder, trial) / "bundle"

    def note(self, event: Event) -> None:
        """Write an event into the study's journal."""
        self.home.journal(self.name).append(event)

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the study has ended and its model is handed over.

        Args:
            timeout: Seconds; None for as long as it takes.

        Raises:
            LeptonError: It could not begin, or its process is lost.
            TimeoutError: It still runs.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while self.home.running(self.name):
            if until is not None and time.monotonic() > until:
                raise TimeoutError(f"{self.name} still runs after {timeout:g} s")
            time.sleep(LOOK)
        if self.state.ended is None:
            raise lost_process(self.name, self.home)
        return self

    @property
    def is_published(self) -> bool:
        """Whether the study has ended, and its chosen model is registered since, if there is one."""
        ended = self.state.ended
        return ended is not None and (
            ended.chosen is None
            or any(registration.trial == ended.chosen and registration.at >= ended.at for registration in self.state.registered)
        )
