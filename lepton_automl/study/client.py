"""The client of a study: its folder, its state from the journal, and whether its process is alive."""

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
from lepton_automl.study_store import JOURNAL, StudyStore, model_folder, study_journal, trials_in

from .expected_lines import ExpectedLines
from .launch import lost_process, read_error, requested_config

if TYPE_CHECKING:
    from .salvage import Salvage

LOOK = 0.02  # seconds between polls of a study's process
Status = Literal["starting", "running", "paused", "ending", "ended", "lost"]


class StudyClient:
    """Reads a study by its name. Keeps no file open.

    Args:
        name: The study's name.
        home: The folder of all studies; by default `$LEPTON_HOME`, else `mlruns`.
    """

    def __init__(self, name: str, home: str | Path | StudyStore | None = None) -> None:
        self.home = home if isinstance(home, StudyStore) else StudyStore(home)
        self._name = name
        self._start_over()
        self._reading = threading.Lock()  # callbacks may read from another thread

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"

    def _start_over(self) -> None:
        """Read everything from the start at the next read."""
        self._state, self._offset, self._file = StudyState(), 0, 0
        self._damage: Salvage | None = None

    @property
    def name(self) -> str:
        """The study's name."""
        return self._name

    @property
    def folder(self) -> Path:
        """The folder of the study's files."""
        return self.home.path(self.name)

    @property
    def state(self) -> StudyState:
        """The state of the study, up to the journal's last event.

        Raises:
            StudyError: There is no such study.
            LeptonError: It could not start; the error gives the reason, as `LimitError` does.
        """
        self._read()
        return self._state

    def check(self) -> Self:
        """This client, if there is such a study; nothing is read yet.

        Raises:
            LeptonError: As `state` does.
        """
        self._journal()
        return self

    def poll(self) -> tuple[Status, StudyState, list[Event]]:
        """The study's status, its state, and the events since the last read, by this method or a property.

        A window that draws the state from a thread needs its own client: other readers would change the state meanwhile.

        Raises:
            LeptonError: As `state` does.
        """
        alive = self.home.running(self.name)  # before the read, so that no final event is missed
        news = self._read()
        return self._status(alive=alive), self._state, news

    def _read(self) -> list[Event]:
        """Apply the events since the last read."""
        if not self._name:
            raise StudyError("there is no search yet", where="AutoML", fix="Call fit(data) first.")
        with self._reading:
            try:
                return self._news()
            except KeyboardInterrupt:  # an event may be applied only in part
                self._start_over()
                raise

    def _news(self) -> list[Event]:
        journal = self._journal()
        self._see_file(journal.path)
        from_start, wrong, last = self._offset == 0, False, None
        expected = ExpectedLines.by(self.folder) if from_start else None  # read first, as copies are written last
        news: list[Event] = []
        lines = journal.lines(self._offset) if self._file or not (expected is None or expected.trials) else ()
        for at, line in enumerate(lines, 1):
            fits = line.event is None or self._state.apply(line.event)
            self._offset, last = line.end, line.number or at
            wrong = wrong or bool(line.fault) or not fits
            if line.event is not None and fits:
                news.append(line.event)
        lost = expected is not None and self._damage is None and not expected.is_held_by(self._state, last)
        return self._salvaged(from_start=from_start, news=news) if wrong or lost else news

    def _see_file(self, path: Path) -> None:
        """Start over if the journal was replaced by another file, or truncated."""
        try:
            stat = path.stat()
        except OSError:
            stat = None
        known = stat.st_ino if stat and path.is_file() else 0
        if self._file and (known != self._file or (stat and stat.st_size < self._offset)):
            self._start_over()
        self._file = known

    def _salvaged(self, *, from_start: bool, news: list[Event]) -> list[Event]:
        """Continue from all intact lines, and warn once about the damage."""
        from .salvage import salvage

        salvaged = salvage(self.folder)
        self._damage, self._state = salvaged, salvaged.state
        if self._state.config is None:
            self._state.config = requested_config(self.folder)
        note = Noted(at=self._state.last_at, text=f"{salvaged.words}. {salvaged.fix}", level="warning")
        self._state.notes.append(note)
        warnings.warn(f"{self.name}: {note.text}", stacklevel=4)
        return [*(salvaged.events if from_start else news), note]

    @property
    def damage(self) -> str:
        """What is wrong with the journal, as text; empty if nothing is.

        Raises:
            LeptonError: As `state` does.
        """
        self._read()
        return f"{self._damage.words}. {self._damage.fix}" if self._damage else ""

    def check_intact(self) -> None:
        """Check that the journal is intact, so that nothing is written after damaged lines.

        Raises:
            StudyError: The journal is damaged.
        """
        self._read()
        if self._damage:
            raise self._damage.error()

    def check_trusted(self) -> None:
        """Check that the code that the study carries may run here, before anything is started that needs it.

        Raises:
            StudyError: The user has not trusted it.
        """
        for code in self.state.settings.code:
            if what := code.untrusted():
                raise StudyError(what, where=self.name, fix=TRUST.replace("STUDY", self.name))

    def _journal(self) -> Journal:
        """The journal; it may not exist yet if a process is about to create it."""
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
        """The study's status: `"starting"` until its machine is benchmarked, `"running"`, `"paused"`, `"ending"` while its
        chosen model is published, `"ended"`, or `"lost"`: its process ended before the study did; `resume` continues it.
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
        """The folder of a finished trial's model, in the study's current folder, which may have been moved.

        It holds the refitted model if there is one; `twin` is the model that was scored.
        """
        known = self.state.trials.get(trial)
        return model_folder(self.folder, trial, refitted=known is not None and known.refitted is not None)

    def twin(self, trial: int) -> Path:
        """The folder of a finished trial's model as it was scored, without any refit."""
        return model_folder(self.folder, trial, refitted=False)

    def note(self, event: Event) -> None:
        """Write an event into the study's journal."""
        self.home.journal(self.name).append(event)

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the study has ended and its model is published.

        Args:
            timeout: Seconds; None for as long as it takes.

        Raises:
            LeptonError: It could not start, or its process is lost.
            TimeoutError: It is still running.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while self.home.running(self.name):
            if until is not None and time.monotonic() > until:
                raise TimeoutError(f"{self.name} is still running after {timeout:g} s")
            time.sleep(LOOK)
        if self.state.ended is None:
            raise lost_process(self.name, self.home)
        return self

    @property
    def is_published(self) -> bool:
        """Whether the study has ended, and its chosen model, if there is one, has been registered since."""
        ended = self.state.ended
        return ended is not None and (
            ended.chosen is None
            or any(registration.trial == ended.chosen and registration.at >= ended.at for registration in self.state.registered)
        )
