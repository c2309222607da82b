"""Damage to a journal that a window, a search or a tracker has open."""

from __future__ import annotations

import stat

import pytest

from lepton_automl.errors import StudyError
from lepton_automl.events import Noted
from lepton_automl.journal import Journal
from lepton_automl.state import StudyState
from lepton_automl.study.client import StudyClient
from lepton_automl.study.repair import repair
from lepton_automl.study.salvage import check_intact
from lepton_automl.study.study import Study
from lepton_automl.study_store import SPARE, study_journal
from lepton_automl.tracking.tracker import Tracker

from .journals import EVENTS, NAME, seen


def test_an_open_view_notices_the_damage_and_the_repair(home, path):
    handle = StudyClient(NAME, home)
    assert handle.poll()[2] == EVENTS[:-1] and handle.damage == ""
    with open(path, "ab") as file:
        file.write(b"garbage\n")
    _, state, news = handle.poll()
    assert [type(event) for event in news] == [Noted] and "lepton repair" in news[0].text and len(state.front()) == 1
    study_journal(path.parent).append(Noted(at=30.0, text="later"))
    assert [event.text for event in handle.poll()[2]] == ["later"]
    repair(NAME, home)
    assert handle.poll()[1].repairs == 1 and handle.damage == ""


def test_a_running_search_continues_its_numbering_after_its_journal_was_emptied(home, path):
    journal = study_journal(path.parent)
    journal.append(Noted(at=20.0, text="before"))
    path.write_bytes(b"")
    journal.append(Noted(at=21.0, text="after"))
    lines = list(Journal(path).lines())
    assert lines[0].fault == f"{len(EVENTS)} lines are missing before it" and lines[0].event.text == "after"
    assert seen(home).trials.keys() == {0, 1}


@pytest.mark.parametrize("left", range(1, len(EVENTS) - 1))
def test_lines_that_are_missing_at_the_end_are_known_by_their_copies(home, path, left):
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:left]))
    state = seen(home)
    assert len(state.trials) == 2 and state.ended and state.tested and state.registered
    repair(NAME, home)
    assert StudyState().feed(check_intact(path.parent)).registered == state.registered


def test_a_line_missing_between_two_reads_is_detected_by_the_next_reader(path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], *lines[5:]]))
    assert [one.fault for one in Journal(path).lines() if one.fault] == ["2 lines are missing before it"]


def test_nothing_is_written_behind_a_damage(home, path):
    path.write_bytes(path.read_bytes().replace(b"uid-1", b"uid-9", 1))
    study, before = Study(NAME, home), path.read_bytes()
    for act in (study.resume, lambda: study.control.limit(max_size_bytes=10**9), study.register):
        with pytest.raises(StudyError, match="lepton repair"):
            act()
    assert path.read_bytes() == before


def test_a_tracker_continues_past_damage_and_rewrites_everything_after_a_repair(home, path, monkeypatch):
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"uid-1"', b'"uid-9"', 1))
    tracker = Tracker(study_journal(path.parent), home.folder)
    assert tracker._read_on() and tracker._state.trials.keys() == {0}
    repair(NAME, home)
    tracker = Tracker(study_journal(path.parent), home.folder)
    tracker._done = 10**9  # the store knows more of the damaged file than there is of the new one
    assert tracker._read_on() and tracker._state.repairs == 1


def test_files_of_a_study_are_their_owners_alone(home, path):
    Journal(path.parent / "asked.jsonl").append(Noted(at=0.0, text="x"))
    with home.lock(NAME):
        pass
    path.write_bytes(path.read_bytes().replace(b"uid-1", b"uid-9", 1))
    repair(NAME, home)
    names = [path, path.parent / "config.json", path.parent / "asked.jsonl", *path.parent.rglob(SPARE)]
    assert {stat.S_IMODE(name.stat().st_mode) for name in names} == {0o600}
