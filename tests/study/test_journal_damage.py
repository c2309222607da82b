"""A damaged journal: whatever is whole is read, what is not is said, and `lepton repair` puts it right."""

from __future__ import annotations

import json
import shutil
import stat
import warnings
import zlib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lepton_automl import cli
from lepton_automl.errors import LeptonError, StudyError
from lepton_automl.events import JournalRepaired, Noted, TestOpened, TrialEnded, event_to_json
from lepton_automl.journal import Journal
from lepton_automl.state import StudyState
from lepton_automl.study.client import StudyClient
from lepton_automl.study.launch import write_request
from lepton_automl.study.repair import repair
from lepton_automl.study.salvage import check_intact, salvage
from lepton_automl.study.study import Study
from lepton_automl.study_store import JOURNAL, SPARE, StudyStore, study_journal
from lepton_automl.tracking.tracker import Tracker
from tests.samples import config, events, measured, trial_events

EVENTS = events()
NAME = "sample"
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def home(tmp_path):
    """A home with a study that has every kind of event."""
    home = StudyStore(tmp_path / "home")
    folder = home.create(NAME)
    write_request(config(), folder)
    journal = study_journal(folder)
    for event in EVENTS[:-1]:
        journal.append(event, durable=False)
    return home


@pytest.fixture
def path(home):
    return home.path(NAME) / JOURNAL


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def bare(home):
    """Without the copies: what the journal itself gives."""
    for spare in home.path(NAME).rglob(SPARE):
        spare.unlink()


def line(body: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(body), body)


def seen(home) -> StudyState:
    """The state that a handle shows; every window can draw it."""
    handle = StudyClient(NAME, home)
    state = handle.state
    assert handle.damage and "lepton repair sample" in handle.damage
    assert any("lepton repair" in note.text for note in state.notes)
    assert len(state.front()) <= 1
    return state


def command(home, *words: str):
    return CliRunner().invoke(cli.app, words, env={"LEPTON_HOME": str(home.folder), "COLUMNS": "200"})


# A line that is not whole


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
@example(order=[0, 1, 2, 6, *range(3, 6), *range(7, len(EVENTS) - 1)], left=4)  # nothing but their copies tells of the rest
@given(order=st.permutations(range(len(EVENTS) - 1)), left=st.integers(1, len(EVENTS) - 1))
def test_old_lines_in_any_order_end_in_words(home, path, order, left):
    """Lines of an older version bear no numbers; what can follow is taken, wherever it stands."""
    content = path.read_bytes()
    old = [line(json.dumps(event_to_json(event), separators=(",", ":")).encode()) for event in EVENTS[:-1]]
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
    passing = type(told).__name__ in {"TrialReported", "TrialRetried", "Noted", "KnobsRanked"} and how != "twice"
    state = seen(home)
    assert len(state.trials) == 2 and len(state.front()) == 1 and state.ended and state.tested and state.registered
    done = repair(NAME, home)
    assert "whole again" in done
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
        b'{"event":"Noted","at":1.0,"text":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"event":["Noted"],"at":1.0}',
        b'{"event":"Noted","at":"x","text":"y"}',
        b'{"event":"Noted","at":1.0,"text":5}',
        b'{"event":"Noted","at":1.0}',
        b'{"event":"TrialEnded","at":1.0,"result":[]}',
        b'{"event":"TrialEnded","at":1.0,"result":{"trial":99,"status":"complete"}}',
        b'{"event":"TrialProposed","at":1.0,"trial":[1],"uid":"a","config":{},"recipe":{},"origin":"x"}',
        b'{"event":"TrialProposed","at":1.0,"trial":9,"uid":"a","config":{},"recipe":'
        + b'{"a":' * 300
        + b"1"
        + b"}" * 300
        + b',"origin":"x"}',
        b'{"event":"Asked","at":1.0,"uid":"b","what":"extend","budget":{"minutes":-1}}',
        b'{"event":"TestOpened","at":1.0,"scores":{"x":{}}}',
        b'{"event":"StudyEnded","at":1.0,"reason":"r","chosen":"0"}',
    ],
    ids=range(20),
)
def test_a_right_checksum_over_wrong_content_ends_in_words(home, path, body):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], line(body), *lines[5:]]))
    state = seen(home)
    assert len(state.front()) == 1 and state.ended
    for words in (["status", NAME], ["status", NAME, "--json"], ["front", NAME], ["front", NAME, "--json"], ["list"]):
        told = command(home, *words)
        assert told.exit_code == 0, told.output
    repair(NAME, home)
    assert check_intact(path.parent)[:-1] == EVENTS[:-1]


def test_a_line_of_a_newer_version_is_no_damage_and_outlives_a_repair(home, path):
    body = b'{"n":%d,"event":"FromTomorrow","at":20.0}' % len(EVENTS)
    path.write_bytes(path.read_bytes() + line(body))
    assert Study(NAME, home).client.damage == "" and check_intact(path.parent) == EVENTS[:-1]
    path.write_bytes(path.read_bytes().replace(b"uid-1", b"uid-2", 1))
    repair(NAME, home)
    assert b"FromTomorrow" in path.read_bytes()


# A journal that is gone


@pytest.mark.parametrize("how", ["gone", "empty", "folder", "garbage", "zeros"])
def test_a_journal_that_is_gone_comes_back_from_its_copies(home, path, how):
    path.unlink()
    if how == "folder":
        path.mkdir()
        (path / "theirs").write_text("kept")
    elif how != "gone":
        path.write_bytes({"empty": b"", "garbage": b"some text\n", "zeros": bytes(4096)}[how])
    state = seen(home)
    assert len(state.front()) == 1 and state.trials[0].scores and state.tested and state.registered
    assert home.studies == [NAME]
    for words in (["status", NAME], ["front", NAME], ["list"]):
        told = command(home, *words)
        assert told.exit_code == 0 and "lepton repair" in told.output, told.output
    with pytest.raises(StudyError, match="lepton repair sample"):
        Study(NAME, home).extend(trials=9)
    with pytest.raises(StudyError, match=r"(?s)lepton repair sample"):
        check_intact(path.parent)
    told = command(home, "repair", NAME)
    assert told.exit_code == 0 and "whole again" in told.output
    again = StudyState().feed(check_intact(path.parent))
    assert again.front()[0].scores == state.front()[0].scores and again.tested == state.tested
    assert how != "folder" or (next(path.parent.glob("journal.damaged-*")) / "theirs").read_text() == "kept"
    assert command(home, "repair", NAME).output == "sample: nothing is damaged.\n"


@pytest.mark.parametrize("how", ["gone", "empty", "folder", "headless"])
def test_what_cannot_be_shown_in_mlflow_names_the_repair(home, path, how):
    content = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how != "gone":
        path.write_bytes(b"" if how == "empty" else content.replace(b'"StudyStarted"', b'"StudyStartex"', 1))
    with pytest.raises(StudyError, match=r"(?s)What to do: lepton repair sample"):
        Study(NAME, home).tracking.sync()


def test_a_repair_counts_what_was_whole_and_what_came_from_copies(home, path):
    lines = path.read_bytes().splitlines(keepends=True)
    proposed = next(at for at, one in enumerate(lines) if b'"TrialProposed"' in one)
    path.write_bytes(b"".join(lines[:proposed] + lines[proposed + 1 :]))
    told = command(home, "repair", NAME).output
    assert f"whole: {len(lines) - 1}, restored from copies: 1, lost: 0" in told
    repaired = [event for _, event in Journal(path).read() if isinstance(event, JournalRepaired)]
    assert (repaired[0].whole, repaired[0].restored, repaired[0].lost) == (len(lines) - 1, 1, 0)


def bundled(home, number: int) -> None:
    trial = trial_events(number, 0.9, 1.0)
    profile = trial[-1].result.profile
    from lepton_automl.deployment.card import model_card
    from lepton_automl.recipe import recipe_from_json
    from lepton_automl.specs import Deployment
    from tests.samples import image_spec

    card = model_card(
        name="sample/0", recipe=recipe_from_json(trial[0].recipe), spec=image_spec(), target=Deployment(), profile=profile,
        metric="accuracy", scores=trial[-1].result.scores,
    )  # fmt: skip
    bundle = home.path(NAME) / "trials" / f"{number:05d}" / "bundle"
    bundle.mkdir()
    provenance = {"trial": number, "uid": f"uid-{number}", "config": trial[0].config, "seed": 0}
    told = {"provenance": provenance, "recipe": trial[0].recipe, "runtime": {"runtime": "openvino", "precision": "int8"}}
    for name, value in told.items():
        (bundle / f"{name}.json").write_text(json.dumps(value))
    (bundle / "README.md").write_text(card)


def test_without_journal_and_copies_the_bundles_tell(home, path):
    bundled(home, 0)
    bare(home)
    path.unlink()
    trial = seen(home).trials[0]
    assert trial.scores == {"accuracy": 0.9, "log_loss": 0.1} and trial.profile.latency_ms == 1.0
    assert trial.proposed.uid == "uid-0" and trial.variant.name == "OpenVINO int8"
    repair(NAME, home)
    assert StudyState().feed(check_whole_but_the_machine(path.parent)).front()[0].number == 0


def check_whole_but_the_machine(folder):
    return [event for _, event in study_journal(folder).read()]


def test_a_study_that_nothing_tells_of_is_said_so(home, path):
    bare(home)
    (path.parent / "config.json").unlink()
    path.write_bytes(b"")
    (path.parent / "trials" / "00003").mkdir()
    with pytest.raises(LeptonError, match=r"(?s)nothing tells.*load_model"):
        repair(NAME, home)
    assert command(home, "status", NAME).exit_code == 1


# What lies there stays


def test_creating_a_study_removes_no_trials(home, path):
    path.unlink()
    before = sorted(home.path(NAME).rglob("*"))
    with pytest.raises(StudyError, match=r"(?s)no journal.*lepton repair sample"):
        home.create(NAME)
    home.remove_unbegun(NAME)
    assert sorted(home.path(NAME).rglob("*")) == before
    assert home.free_name(NAME) == f"{NAME}-2"


def test_creating_a_study_removes_nothing_of_a_person_and_all_of_what_never_began(home):
    theirs = home.path("theirs")
    theirs.mkdir()
    (theirs / "notes.txt").write_text("mine")
    with pytest.raises(StudyError, match="taken"):
        home.create("theirs")
    begun = home.create("begun")
    (begun / "config.json").write_text("{}")
    (begun / "data").mkdir()
    (begun / "trials").mkdir()
    assert home.create("begun") == begun and not list(begun.iterdir())


def test_nobody_is_asked_whether_he_meant_what_he_wrote(home):
    folder = home.create("digits")
    (folder / "config.json").write_text("{}")
    for words in (["front", "digits"], ["status", "digits"]):
        told = command(home, *words)
        assert told.exit_code == 1 and "Did you mean" not in str(told.exception) and "did not begin" in str(told.exception)
    with pytest.raises(StudyError, match="Did you mean 'digits'"):
        home.journal("digit")


def test_a_repair_waits_for_no_search_that_runs(home):
    with home.lock(NAME), pytest.raises(StudyError, match="running"):
        repair(NAME, home)
    with pytest.raises(StudyError, match="there is no study"):
        repair("nobody", home)


def test_a_repair_that_is_cut_off_is_done_again(home, path, monkeypatch):
    path.write_bytes(path.read_bytes().replace(b"uid-1", b"uid-9", 1))
    from lepton_automl.study import repair as module

    whole = module._write
    calls: list[int] = []

    def fails(at: int):
        def write(*given):
            calls.append(at)
            if len(calls) == at:
                raise OSError(28, "No space left on device")
            whole(*given)

        return write

    for at in (1, 2, 3):
        calls.clear()
        monkeypatch.setattr(module, "_write", fails(at))
        with pytest.raises(StudyError, match="nothing is lost"):
            repair(NAME, home)
        if at == 1:
            assert seen(home).trials.keys() == {0, 1}
            continue
        break
    monkeypatch.setattr(module, "_write", whole)
    repair(NAME, home)
    assert [event for event in check_intact(path.parent) if not isinstance(event, JournalRepaired)] == EVENTS[:-1]


# Who reads while it is written


def test_a_window_that_is_open_sees_the_damage_and_the_repair(home, path):
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


def test_a_search_that_runs_goes_on_numbering_where_its_journal_was_emptied(home, path):
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


def test_one_line_that_is_missing_between_two_looks_is_found_by_the_next_reader(path):
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


def test_a_tracker_goes_on_past_damage_and_tells_all_anew_after_a_repair(home, path, monkeypatch):
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"uid-1"', b'"uid-9"', 1))
    tracker = Tracker(study_journal(path.parent), home.folder)
    assert tracker._read_on() and tracker._state.trials.keys() == {0}
    repair(NAME, home)
    tracker = Tracker(study_journal(path.parent), home.folder)
    tracker._done = 10**9  # the store knows more of the damaged file than there is of the new one
    assert tracker._read_on() and tracker._state.repairs == 1


# What is left of older tests' journals, and who may read them


def test_files_of_a_study_are_their_owners_alone(home, path):
    Journal(path.parent / "asked.jsonl").append(Noted(at=0.0, text="x"))
    with home.lock(NAME):
        pass
    path.write_bytes(path.read_bytes().replace(b"uid-1", b"uid-9", 1))
    repair(NAME, home)
    names = [path, path.parent / "config.json", path.parent / "asked.jsonl", *path.parent.rglob(SPARE)]
    assert {stat.S_IMODE(name.stat().st_mode) for name in names} == {0o600}


def test_a_journal_of_an_older_version_is_read_and_goes_on(home, path):
    old = [line(json.dumps(event_to_json(event), separators=(",", ":")).encode()) for event in EVENTS[:-1]]
    path.write_bytes(b"".join(old))
    assert check_intact(path.parent) == EVENTS[:-1] and Study(NAME, home).client.damage == ""
    study_journal(path.parent).append(Noted(at=30.0, text="new"))
    last = list(Journal(path).lines())[-1]
    assert last.number == len(EVENTS) and last.fault == "" and Study(NAME, home).client.damage == ""


def test_a_journal_that_cannot_be_read_says_so(home, path, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refused)
    with pytest.raises(StudyError, match="Permission denied"):
        list(Journal(path).read())


def test_deleting_a_damaged_study_works(home, path):
    path.write_bytes(b"garbage\n")
    told = command(home, "delete", NAME, "--yes")
    assert told.exit_code == 0 and not path.parent.exists()


def test_lost_ends_leave_no_window_without_its_trial(home, path):
    """A test's scores, a choice and a registration of a trial of which nothing is left."""
    bare(home)
    shutil.rmtree(path.parent / "trials")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(one for one in lines if b'"trial":0' not in one))
    state = Study(NAME, home).state
    assert 0 not in state.trials and state.ended.chosen is None and state.tested.scores == {}
    for words in (["status", NAME, "--json"], ["front", NAME]):
        assert command(home, *words).exit_code == 0
    assert any(isinstance(event, TestOpened) for event in EVENTS) and any(isinstance(event, TrialEnded) for event in EVENTS)
    assert measured(1.0).median == 1.0
