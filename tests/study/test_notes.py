"""Notes by people: kept in the journal beside a running search, shown wherever a study is, unharmed by other versions."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from lepton_automl import events
from lepton_automl.cli import app
from lepton_automl.errors import ConfigError
from lepton_automl.events import UserNote
from lepton_automl.reporting.context import ReportContext
from lepton_automl.reporting.report import report_html
from lepton_automl.state import StudyState
from lepton_automl.study.study import Study
from tests.samples import trial_events
from tests.widgets.recorded_studies import HOSTILE, MODELS, harmless, lived


def test_a_note_is_kept_in_the_journal_and_survives_a_search_that_goes_on(tmp_path):
    study, journal = lived(tmp_path, MODELS, ended=False)
    study.add_note("  the rows of March are wrong\nsee the mail  ")
    study.add_note("overfits", trial=1)
    for event in trial_events(3, 0.95, 2.0, at=60.0):
        journal.append(event)
    again = Study("sample", study.home)
    assert [(note.text, note.trial) for note in again.notes] == [
        ("the rows of March are wrong\nsee the mail", None),
        ("overfits", 1),
    ]
    assert len(again.state.trials) == 4 and not again.client.damage


def test_wrong_notes_are_refused_with_every_complaint(tmp_path):
    study, _ = lived(tmp_path, MODELS)
    with pytest.raises(ConfigError, match=r"the note is empty[\s\S]*there is no trial 9"):
        study.add_note("  ", trial=9)
    with pytest.raises(ConfigError, match=r"10,001 characters; 10,000 at most"):
        study.add_note("x" * 10_001)
    assert study.notes == ()


def test_a_version_that_does_not_know_notes_reads_everything_else(tmp_path, monkeypatch):
    study, _ = lived(tmp_path, MODELS)
    study.add_note("a newer kind of line")
    monkeypatch.delitem(events.KINDS, "UserNote")
    older = Study("sample", study.home)
    assert len(older.state.front()) == 2 and older.notes == () and not older.client.damage


def test_a_lost_journal_is_repaired_with_its_notes(tmp_path):
    study, journal = lived(tmp_path, MODELS)
    study.add_note("kept twice", trial=0)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join(lines[:-1]) + b"garbage\n")
    assert "restored" in study.control.repair()
    assert [note.text for note in Study("sample", study.home).notes] == ["kept twice"]


def test_notes_are_in_the_report_and_the_shell(tmp_path, monkeypatch):
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path))
    lived(tmp_path, MODELS)
    shell = CliRunner()
    assert "There are no notes" in shell.invoke(app, ["note", "sample"]).output
    assert shell.invoke(app, ["note", "sample", HOSTILE[0], "--trial", "1"]).exit_code == 0
    listed = shell.invoke(app, ["note", "sample"]).output
    assert f"trial 1: {HOSTILE[0]}" in listed
    state = Study("sample").state
    page = report_html(ReportContext(state))
    section = page[page.index('<section id="notes">') :].partition("</section>")[0]
    assert "trial 1" in section and harmless(section) and '<a href="#notes">' in page


def test_a_note_is_a_line_of_its_own():
    note = UserNote(at=1.0, text="seen", trial=3)
    assert json.loads(json.dumps(note.to_json())) == {"at": 1.0, "text": "seen", "trial": 3}
    assert StudyState().apply(note) is True
