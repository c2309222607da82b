"""What can be recovered of a study whose journal is damaged or missing: its intact lines, and the copies beside the models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lepton_automl.errors import StudyError
from lepton_automl.events import Event
from lepton_automl.journal import Journal, Line
from lepton_automl.journal_format import FormatError
from lepton_automl.state import StudyState
from lepton_automl.study_store import JOURNAL, SPARE, study_journal, trials_in
from lepton_automl.texts import many

from .expected_lines import ExpectedLines
from .remnants import head, remnants

PASSES = 100  # over lines that do not fit where they are


@dataclass
class Salvage:
    """Everything that is intact, in order.

    Args:
        name: The study's name.
        lines: Intact lines that follow one another.
        state: The state after them.
        faults: Descriptions of what is wrong with the journal.
        whole: Number of lines of the journal that are intact and could be kept.
        restored: Number of lines that come from copies, or from the files beside a model.
        lost: Number of lines that are known to be lost.
        converted: Number of lines of the journal that are in an older format.
    """

    name: str
    lines: list[Line] = field(default_factory=list)
    state: StudyState = field(default_factory=StudyState)
    faults: list[str] = field(default_factory=list)
    whole: int = 0
    restored: int = 0
    lost: int = 0
    converted: int = 0

    @property
    def events(self) -> list[Event]:
        """The events of the lines."""
        return _events(self.lines)

    @property
    def words(self) -> str:
        """What is wrong, in a sentence; empty if nothing is."""
        if not self.faults:
            return ""
        first, more = self.faults[0], len(self.faults) - 1
        sentences = [f"the journal is damaged: {first}{f', and {more} more of its lines' * bool(more)}"]
        if self.restored:
            sentences.append(f"{many(self.restored, 'line')} can be restored from copies")
        if self.lost:
            sentences.append(f"{many(self.lost, 'line')} {'are' if self.lost > 1 else 'is'} lost")
        return "; ".join(sentences)

    @property
    def fix(self) -> str:
        """What to do about it."""
        return f"lepton repair {self.name} repairs it and keeps the damaged file. Until then all intact lines can be read."

    def error(self) -> StudyError:
        """The damage as an error, for callers that would write after it."""
        return StudyError(self.words, where=self.name, fix=self.fix)


def salvage(study: Path) -> Salvage:
    """Read everything that is intact in a study's journal and in the copies of its lines.

    Args:
        study: The study's folder.
    """
    salvaged = Salvage(study.name)
    journal = _journal_lines(study, salvaged)
    known = {line.core for line in journal}
    copies = [line for line in _copies(study) if line.core not in known]
    if copies and not salvaged.faults:
        salvaged.faults.append(
            f"{many(len(copies), 'line')} that {'has a copy is' if len(copies) == 1 else 'have copies are'} missing"
        )
    numbers = {line.number for line in (*journal, *copies) if line.number}
    lines = sorted([*journal, *copies], key=lambda line: line.number or 0)
    rebuilt = remnants(study, _events(lines))
    first_lines = head(study, _events([*lines, *rebuilt]))
    _follow(salvaged, [*first_lines, *lines, *rebuilt])
    kept = {line.core for line in salvaged.lines}
    salvaged.whole = sum(line.core in kept for line in journal)
    salvaged.restored = sum(line.core in kept for line in (*first_lines, *copies, *rebuilt))
    salvaged.lost = max(numbers) - len(numbers) if numbers else 0
    return salvaged


def check_intact(study: Path) -> list[Event]:
    """All events of an intact journal.

    Raises:
        StudyError: The journal is damaged; the message says how to repair it.
    """
    expected = ExpectedLines.by(study)
    state, events, wrong, last = StudyState(), [], False, None
    for at, line in enumerate(study_journal(study).lines(), 1):
        last = line.number or at
        fits = line.event is None or state.apply(line.event)
        wrong = wrong or bool(line.fault) or not fits
        if line.event is not None:
            events.append(line.event)
    if wrong or not expected.is_held_by(state, last):
        raise salvage(study).error()
    return events


def _journal_lines(study: Path, salvaged: Salvage) -> list[Line]:
    """The intact lines of the journal, each with a number; faults are recorded."""
    lines: list[Line] = []
    lines_seen: set[bytes] = set()
    path = study / JOURNAL
    try:
        for at, line in enumerate(study_journal(study, convert=True).lines(), 1):
            salvaged.converted += line.converted
            if line.fault:
                salvaged.faults.append(f"line {at}: {line.fault}")
            if line.raw and (line.event is not None or not line.fault) and line.core not in lines_seen:
                lines_seen.add(line.core)
                lines.append(line if line.number is not None else Line(line.end, line.event, "", at, line.raw))
    except FormatError:  # written by a newer version
        raise
    except StudyError as error:
        salvaged.faults.append(error.what)
    if not lines and not salvaged.faults:
        salvaged.faults.append("it is empty" if path.exists() else "it is missing")
    return lines


def _copies(study: Path) -> list[Line]:
    """The intact lines of all copies, each once."""
    lines: dict[bytes, Line] = {}
    for folder in (study, *trials_in(study)):
        try:
            for line in Journal(folder / SPARE, study=study, convert=True).lines():
                if line.event is not None:
                    lines.setdefault(line.core, line)
        except StudyError:  # unreadable; other copies may be intact
            continue
    return list(lines.values())


def _follow(salvaged: Salvage, lines: Iterable[Line]) -> None:
    """Apply the lines that fit the state; those that do not fit yet are tried again after all others."""
    left = list(lines)
    for _ in range(PASSES):
        later = [line for line in left if not _apply(salvaged, line)]
        if len(later) in {0, len(left)}:
            left = later
            break
        left = sorted(later, key=lambda line: line.event.at if line.event else 0.0)
    if left:
        salvaged.faults.append(f"{many(len(left), 'line')} cannot be applied after the lines before")


def _apply(salvaged: Salvage, line: Line) -> bool:
    if line.event is not None and not salvaged.state.apply(line.event):
        return False
    salvaged.lines.append(line)
    return True


def _events(lines: Iterable[Line]) -> list[Event]:
    return [line.event for line in lines if line.event is not None]
