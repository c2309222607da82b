"""A damaged journal: whatever is whole is read, and what is not is reported."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lepton_automl.errors import StudyError
from lepton_automl.events import JournalRepaired, Noted, event_to_json
from lepton_automl.journal import Journal
from lepton_automl.study.client import StudyClient
from lepton_automl.study.repair import repair
from lepton_automl.study.salvage import check_intact, salvage
from lepton_automl.study.study import Study
from lepton_automl.study_store import study_journal

from .journals import EVENTS, NAME, command, line, quick, seen


@quick
@given(data=st.data())
def test_a_flipped_bit_costs_its_own_line_at_most(path, data):
    content = path.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << (bit % 8)
    other = path.with_name("flipped.jsonl")
    other.write_bytes(changed)
    found = [event for _, event in Journal(other).read()]
    whole = [event for _, event in Journal(path).read()]
    assert len(found) >= len(whole) - 1 and set(map(repr, found)) <= set(map(repr, whole))
    assert len(found) == len(whole) or any(one.fault for one in Journal(other).lines())


@quick
@given(tail=st.binary(max_size=300), cut=st.integers(0, 4000))
def test_a_garbled_tail_costs_no_line_before_it(path, tail, cut):
    content = path.read_bytes()[: -cut or None]
    other = path.with_name("garbled.jsonl")
    other.write_bytes(content + tail)
    whole = content.count(b"\n") - content.count(b"\n\n")
    found = [event for _, event in Journal(other).read()]
    assert found[:whole] == EVENTS[:-1][: len(found[:whole])] and len(found) >= whole
    Journal(other).append(Noted(at=1.0, text="goes on"))
    assert [event for _, event in Journal(other).read()][-1].text == "goes on"
    other.unlink()


@quick
@given(order=st.permutations(range(len(EVENTS) - 1)))
def test_lines_in_any_order_are_put_right(home, path, order):
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[at] for at in order))
    found = salvage(path.parent)
    path.write_bytes(content)
    assert found.events == EVENTS[:-1] and bool(found.faults) == (list(order) != sorted(order))
    assert found.lost == found.restored == 0


@quick
@example(order=[0, 1, 2, 6, *range(3, 6), *range(7, len(EVENTS) - 1)], left=4)  # only their copies contain the rest
@given(order=st.permutations(range(len(EVENTS) - 1)), left=st.integers(1, len(EVENTS) - 1))
def test_lines_without_numbers_in_any_order_end_in_an_error(home, path, order, left):
    """Lines without numbers; lines that can follow are used, wherever they are."""
    content = path.read_bytes()
    old = [line(json.dumps({"format": 2, **event_to_json(event)}, separators=(",", ":")).encode()) for event in EVENTS[:-1]]
    path.write_bytes(b"".join(old[at] for at in order[:left]))
    try:
        state = StudyClient(NAME, home).state
        assert state.trials.keys() == {0, 1}  # their copies know them
        assert len(state.front()) == 1
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("at", range(len(EVENTS) - 1))
@pytest.mark.parametrize("how", ["damaged", "missing", "twice"])
def test_without_one_of_its_lines_a_study_is_as_it_was(home, path, at, how):
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    if how == "twice":
        lines.insert(at, lines[at])
    elif how == "missing":
        del lines[at]
    else:
        lines[at] = lines[at].replace(b'{"n"', b'{"m"')
    path.write_bytes(b"".join(lines))
    told = EVENTS[at]
    passing = (
        type(told).__name__ in {"TrialReported", "TrialRetried", "Noted", "HyperparametersRanked", "ReferencesScored"}
        and how != "twice"
    )
    state = seen(home)
    assert len(state.trials) == 2 and len(state.front()) == 1 and state.ended and state.tested and state.registered
    done = repair(NAME, home)
    assert "the journal is repaired" in done
    found = check_intact(path.parent)
    expected = [
        event
        for event in EVENTS[:-1]
        if not passing or event is not told or (getattr(told, "report", None) and told.report.waits)
    ]
    assert found[:-1] == expected and isinstance(found[-1], JournalRepaired)
    kept = next(path.parent.glob("journal.damaged-*"))
    assert kept.read_bytes() == b"".join(lines) and found[-1].kept == kept.name
    assert Study(NAME, home).client.damage == ""


@pytest.mark.parametrize(
    "body",
    [
        b"[1,2]",
        b"null",
        b"7",
        b'"text"',
        b"{}",
        b"not json",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format":2,"event":"Noted","at":1.0,"text":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"format":2,"event":["Noted"],"at":1.0}',
        b'{"format":2,"event":"Noted","at":"x","text":"y"}',
        b'{"format":2,"event":"Noted","at":1.0,"text":5}',
        b'{"format":2,"event":"Noted","at":1.0}',
        b'{"format":2,"event":"TrialEnded","at":1.0,"result":[]}',
        b'{"format":2,"event":"TrialEnded","at":1.0,"result":{"trial":99,"status":"complete"}}',
        b'{"format":2,"event":"TrialProposed","at":1.0,"trial":[1],"uid":"a","config":{},"recipe":{},"origin":"x"}',
        b'{"format":2,"event":"TrialProposed","at":1.0,"trial":9,"uid":"a","config":{},"recipe":'
        + b'{"a":' * 300
        + b"1"
        + b"}" * 300
        + b',"origin":"x"}',
        b'{"format":2,"event":"CommandReceived","at":1.0,"uid":"b","what":"extend","budget":{"minutes":-1}}',
        b'{"format":2,"event":"TestOpened","at":1.0,"scores":{"x":{}}}',
        b'{"format":2,"event":"StudyEnded","at":1.0,"reason":"r","chosen":"0"}',
    ],
    ids=range(20),
)
def test_a_right_checksum_over_wrong_content_ends_in_an_error(home, path, body):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], line(body), *lines[5:]]))
    state = seen(home)
    assert len(state.front()) == 1 and state.ended
    for words in (["status", NAME], ["status", NAME, "--json"], ["front", NAME], ["front", NAME, "--json"], ["list"]):
        result = command(home, *words)
        assert result.exit_code == 0, result.output
    repair(NAME, home)
    assert check_intact(path.parent)[:-1] == EVENTS[:-1]


def test_a_line_of_a_newer_version_is_no_damage_and_outlives_a_repair(home, path):
    body = b'{"n":%d,"format":2,"event":"FromTomorrow","at":20.0}' % len(EVENTS)
    path.write_bytes(path.read_bytes() + line(body))
    assert Study(NAME, home).client.damage == "" and check_intact(path.parent) == EVENTS[:-1]
    path.write_bytes(path.read_bytes().replace(b"uid-1", b"uid-2", 1))
    repair(NAME, home)
    assert b"FromTomorrow" in path.read_bytes()


def test_a_journal_without_numbers_is_read_and_continued(home, path):
    old = [line(json.dumps({"format": 2, **event_to_json(event)}, separators=(",", ":")).encode()) for event in EVENTS[:-1]]
    path.write_bytes(b"".join(old))
    assert check_intact(path.parent) == EVENTS[:-1] and Study(NAME, home).client.damage == ""
    study_journal(path.parent).append(Noted(at=30.0, text="new"))
    last = list(Journal(path).lines())[-1]
    assert last.number == len(EVENTS) and last.fault == "" and Study(NAME, home).client.damage == ""


def test_an_unreadable_journal_is_an_error(home, path, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refused)
    with pytest.raises(StudyError, match="Permission denied"):
        list(Journal(path).read())
