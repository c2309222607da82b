"""Notes by people on a study, kept in its journal."""

from __future__ import annotations

import time

from lepton_automl.errors import Complaints, StudyError
from lepton_automl.events import UserNote

from .client import StudyClient

LONGEST = 10_000  # characters of a note


def add_note(study: StudyClient, text: str, trial: int | None = None) -> UserNote:
    """Write a note into a study's journal; it may be running or have ended.

    Args:
        study: The study.
        text: The note.
        trial: The trial that it is about; None for the study.

    Raises:
        ConfigError: The note is empty or too long, or there is no such trial.
        StudyError: The study has not begun, or its journal is damaged or cannot be written.
    """
    study.check_intact()
    state, complaints = study.state, Complaints("note")
    bare = text.strip() if isinstance(text, str) else ""
    complaints.check(isinstance(text, str), f"the note is {text!r}; it must be a text")
    complaints.check(bool(bare) or not isinstance(text, str), "the note is empty", "Write a sentence.")
    fix = "Keep the long version in a file, and note its name."
    complaints.check(len(bare) <= LONGEST, f"the note has {len(bare):,} characters; {LONGEST:,} at most are kept", fix)
    known = trial is None or (isinstance(trial, int) and not isinstance(trial, bool) and trial in state.trials)
    complaints.check(known, f"there is no trial {trial!r}", f"It has {len(state.trials)}.")
    complaints.raise_any()
    if state.started is None:
        raise StudyError("the study has not begun", where=study.name, fix="Write the note once its search runs.")
    note = UserNote(at=time.time(), text=bare, trial=trial)
    study.note(note)
    return note
