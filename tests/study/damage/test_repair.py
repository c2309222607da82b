"""`lepton repair` puts a damaged journal right, from its copies and its bundles."""

from __future__ import annotations

import json
import shutil

import pytest

from lepton_automl.errors import LeptonError, StudyError
from lepton_automl.events import JournalRepaired, TestOpened, TrialEnded
from lepton_automl.journal import Journal
from lepton_automl.state import StudyState
from lepton_automl.study.repair import repair
from lepton_automl.study.salvage import check_intact
from lepton_automl.study.study import Study
from lepton_automl.study_store import study_journal
from tests.samples import measured, trial_events

from .journals import EVENTS, NAME, bare, command, seen


@pytest.mark.parametrize("how", ["gone", "empty", "folder", "garbage", "zeros"])
def test_a_lost_journal_is_restored_from_its_copies(home, path, how):
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
        result = command(home, *words)
        assert result.exit_code == 0 and "lepton repair" in result.output, result.output
    with pytest.raises(StudyError, match="lepton repair sample"):
        Study(NAME, home).extend(trials=9)
    with pytest.raises(StudyError, match=r"(?s)lepton repair sample"):
        check_intact(path.parent)
    result = command(home, "repair", NAME)
    assert result.exit_code == 0 and "the journal is repaired" in result.output
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


def test_a_repair_counts_intact_and_restored_lines(home, path):
    lines = path.read_bytes().splitlines(keepends=True)
    proposed = next(at for at, one in enumerate(lines) if b'"TrialProposed"' in one)
    path.write_bytes(b"".join(lines[:proposed] + lines[proposed + 1 :]))
    output = command(home, "repair", NAME).output
    assert f"intact lines: {len(lines) - 1}, restored from copies: 1, lost: 0" in output
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
        name="sample/0", recipe=recipe_from_json(trial[0].recipe), spec=image_spec(), deployment=Deployment(), profile=profile,
        metric="accuracy", scores=trial[-1].result.scores,
    )  # fmt: skip
    bundle = home.path(NAME) / "trials" / f"{number:05d}" / "bundle"
    bundle.mkdir()
    provenance = {"trial": number, "uid": f"uid-{number}", "config": trial[0].config, "seed": 0}
    told = {"provenance": provenance, "recipe": trial[0].recipe, "runtime": {"runtime": "openvino", "precision": "int8"}}
    for name, value in told.items():
        (bundle / f"{name}.json").write_text(json.dumps(value))
    (bundle / "README.md").write_text(card)


def test_without_journal_and_copies_the_bundles_are_used(home, path):
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


def test_a_study_without_any_record_is_an_error(home, path):
    bare(home)
    (path.parent / "config.json").unlink()
    path.write_bytes(b"")
    (path.parent / "trials" / "00003").mkdir()
    with pytest.raises(LeptonError, match=r"(?s)settings are lost.*load_model"):
        repair(NAME, home)
    assert command(home, "status", NAME).exit_code == 1


def test_creating_a_study_removes_no_trials(home, path):
    path.unlink()
    before = sorted(home.path(NAME).rglob("*"))
    with pytest.raises(StudyError, match=r"(?s)no journal.*lepton repair sample"):
        home.create(NAME)
    home.remove_unstarted(NAME)
    assert sorted(home.path(NAME).rglob("*")) == before
    assert home.free_name(NAME) == f"{NAME}-2"


def test_creating_a_study_keeps_user_files_and_removes_what_never_started(home):
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


def test_a_correct_name_gets_no_suggestion(home):
    folder = home.create("digits")
    (folder / "config.json").write_text("{}")
    for words in (["front", "digits"], ["status", "digits"]):
        result = command(home, *words)
        assert (
            result.exit_code == 1 and "Did you mean" not in str(result.exception) and "did not begin" in str(result.exception)
        )
    with pytest.raises(StudyError, match="Did you mean 'digits'"):
        home.journal("digit")


def test_a_repair_waits_for_no_search_that_runs(home):
    with home.lock(NAME), pytest.raises(StudyError, match="running"):
        repair(NAME, home)
    with pytest.raises(StudyError, match="there is no study"):
        repair("nobody", home)


def test_an_interrupted_repair_is_repeated(home, path, monkeypatch):
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


def test_deleting_a_damaged_study_works(home, path):
    path.write_bytes(b"garbage\n")
    result = command(home, "delete", NAME, "--yes")
    assert result.exit_code == 0 and not path.parent.exists()


def test_views_work_when_the_ends_of_trials_are_lost(home, path):
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
