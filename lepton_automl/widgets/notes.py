"""Notes on a study: read, and written by its users."""

from __future__ import annotations

import time
from collections.abc import Callable
from html import escape

import ipywidgets as w

from lepton_automl.events import UserNote
from lepton_automl.reporting.labels import clean, html_text
from lepton_automl.state import StudyState

from .protocols import StudySnapshot
from .view import View, button

SHOWN = 100  # the latest notes


class NotesView(View):
    """The notes, latest first, and a field for the next one.

    Args:
        add: Called with the text of a new note and the trial that it is about, None for the study.
    """

    def __init__(self, add: Callable[[str, int | None], object]) -> None:
        self._add, self._trial = add, -1
        self.text = w.Textarea(placeholder="What should be remembered about this study?", rows=3, layout={"width": "98%"})
        self.about = w.Checkbox(description="about the selected trial", indent=False, layout={"width": "auto"})
        self.save = button("add note", self._save, tip="Write the note into the study's journal", icon="pencil")
        self._view = w.HTML()
        row = w.Box([self.save, self.about], layout={"flex_flow": "row wrap"})
        super().__init__(self.text, row, self._view)

    def draw(self, snapshot: StudySnapshot) -> None:
        """Show the notes."""
        self._trial = -1 if snapshot.chosen is None else snapshot.chosen
        self.about.disabled = self._trial < 0
        self.about.description = f"about trial {self._trial}" if self._trial >= 0 else "about the selected trial"
        self._view.value = notes_html(snapshot.state)

    def _save(self) -> None:
        about = self._trial if self.about.value and self._trial >= 0 else None
        if self.text.value.strip():
            self._add(self.text.value, about)
            self.text.value = ""


def notes_html(state: StudyState) -> str:
    """The notes as HTML without scripts, latest first."""
    if not state.user_notes:
        return '<p class="l-dim">no notes yet</p>'
    return "".join(map(_note, reversed(state.user_notes[-SHOWN:])))


def _note(note: UserNote) -> str:
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(note.at))
    about = "" if note.trial is None else f", on trial {note.trial}"
    lines = "<br>".join(html_text(line, 1000) for line in note.text.splitlines())
    return f'<div class="l-note"><div class="l-dim">{escape(clean(at + about))}</div>{lines}</div>'
