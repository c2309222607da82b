"""Studies and bundles of an older format: refused in a sentence that says what to do, converted, and then as they were.

`data/study_of_format_1.tar.xz` holds a study that version 0.1.0 of commit e82582e searched: its journal, the copies of its lines,
its request, and the bundle of its chosen model.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lepton_automl import cli, load_model, open_study
from lepton_automl.deployment import integrity
from lepton_automl.errors import BundleError
from lepton_automl.events import CommandReceived, JournalRepaired, StudyResumed
from lepton_automl.execution.simulated import Recording, SimulatedExecutor
from lepton_automl.journal import Journal, with_checksum
from lepton_automl.journal_format import FORMAT, FormatError, converted
from lepton_automl.specs import Budget
from lepton_automl.study.commands import command
from lepton_automl.study.launch import requested_config
from lepton_automl.study.repair import repair
from lepton_automl.study.runner import search
from lepton_automl.study.salvage import check_intact
from lepton_automl.study_store import JOURNAL, SPARE, StudyStore
from tests.samples import benchmarked_host, profile

ARCHIVE = Path(__file__).parent / "data" / "study_of_format_1.tar.xz"
NAME = "recorded"


@pytest.fixture
def home(tmp_path: Path) -> StudyStore:
    """A home with the recorded study."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path / "studies", filter="data")
    return StudyStore(tmp_path)


def test_an_older_journal_is_refused_in_a_sentence_that_says_what_to_do(home):
    with pytest.raises(FormatError, match=r"format 1, and this version reads format 2\n.*lepton repair recorded converts it"):
        _ = open_study(NAME, home.folder).state
    with pytest.raises(FormatError, match="lepton repair recorded"):
        check_intact(home.path(NAME))
    shown = CliRunner().invoke(cli.app, ["list"], env={"LEPTON_HOME": str(home.folder), "COLUMNS": "200"})
    assert shown.exit_code == 0 and NAME in shown.output


def test_a_converted_study_is_as_it_was(home):
    before = (home.path(NAME) / JOURNAL).read_bytes()
    done = repair(NAME, home)
    assert "converted to format 2" in done and "lost: 0" in done
    assert next(home.path(NAME).glob("journal.older-*")).read_bytes() == before

    study = open_study(NAME, home.folder)
    state = study.state
    assert study.client.damage == "" and [(trial.number, state.score(trial)) for trial in state.front()] == [(0, 37 / 38)]
    assert state.ended.chosen == 0 and state.front()[0].profile.latency_ms == pytest.approx(0.03235, abs=1e-5)
    assert [trial.status for trial in state.trials.values()] == ["complete"] * 2 + ["stopped"] * 4
    assert state.pinned == {"prune.ratio": 0.5} and "prune.ratio" in state.settings.space
    assert (state.settings.deployment.max_latency_ms, state.settings.deployment.max_score_drop) == (2.0, 0.005)
    assert state.settings.prior_trials[0].config["prune.ratio"] == 0.0 and state.settings.prune.multiple == 8
    assert all("prune.ratio" in trial.proposed.config for trial in state.trials.values())
    assert {trial.proposed.origin for trial in state.trials.values()} == {"first_design"}
    assert state.host_benchmark.benchmark.epoch_seconds > 0 and state.tested.scores[0]["accuracy"] == 1.0
    assert [tried.outcome for tried in state.trials[0].accelerated.tried].count("chosen") == 1
    assert requested_config(home.path(NAME)).deployment.max_latency_ms == 5.0


def test_a_converted_journal_is_whole_and_of_today_s_format_in_all_its_copies(home):
    repair(NAME, home)
    assert repair(NAME, home) == ""  # nothing is left to do
    events = check_intact(home.path(NAME))
    assert isinstance(events[-1], JournalRepaired) and sum(isinstance(event, CommandReceived) for event in events) == 6
    for path in [home.path(NAME) / JOURNAL, *home.path(NAME).rglob(SPARE)]:
        lines = [json.loads(line[9:]) for line in path.read_bytes().splitlines()]
        assert lines and all(line["format"] == FORMAT for line in lines)
        assert not [line for line in lines if "lean.ratio" in json.dumps(line)]


def test_a_converted_study_is_taken_up(home):
    repair(NAME, home)
    study = open_study(NAME, home.folder)
    study.client.note(command("extend", budget=Budget(trials=9)))
    recording = Recording(profile(0.02), tuple({"accuracy": 0.5} for _ in range(60)), 0.1, {"accuracy": 0.6})
    executor = SimulatedExecutor(1, lambda _: recording, benchmarked_host(), began=study.state.last_at + 1)
    state = search(study.state.settings, home.path(NAME), executor)
    assert len(state.trials) == 9 and state.trials[8].proposed.config["prune.ratio"] == 0.5  # still pinned
    assert any(isinstance(event, StudyResumed) for event in check_intact(home.path(NAME)))
    assert {trial.number for trial in state.front()} == {0, *(n for n in range(6, 9) if state.trials[n] in state.front())}


def test_a_damaged_older_journal_is_converted_from_what_is_whole_and_from_its_copies(home):
    path = home.path(NAME) / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line.replace(b"TrialProposed", b"TrialProposes") for line in lines))
    assert "restored from copies: 6" in repair(NAME, home)
    assert [trial.number for trial in open_study(NAME, home.folder).state.front()] == [0]


def test_without_its_journal_an_older_study_is_known_by_the_copies(home):
    (home.path(NAME) / JOURNAL).unlink()
    repair(NAME, home)
    assert [trial.number for trial in open_study(NAME, home.folder).state.front()] == [0]


def test_a_newer_journal_is_refused_and_not_repaired(home):
    path = home.path(NAME) / JOURNAL
    path.write_bytes(with_checksum(b'{"n":1,"format":3,"event":"StudyStarted","at":1.0}'))
    content = path.read_bytes()
    with pytest.raises(FormatError, match=r"format 3, and this version reads format 2\n.*Upgrade"):
        _ = open_study(NAME, home.folder).state
    with pytest.raises(FormatError, match="Upgrade"):
        repair(NAME, home)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"event": "TrialThawed", "trial": 3, "epoch": 4}, {"event": "TrialResumed", "trial": 3, "epoch": 4}),
        (
            {
                "event": "KnobsRanked",
                "shares": {"score": {"lean.ratio": 0.25, "train.lr": 0.75}},
                "trials": {"score": 9},
                "ends": 9,
            },
            {
                "event": "HyperparametersRanked",
                "shares": {"score": {"prune.ratio": 0.25, "train.lr": 0.75}},
                "trials": {"score": 9},
                "ends": 9,
            },
        ),
        ({"event": "Noted", "text": "lean.ratio"}, {"event": "Noted", "text": "lean.ratio"}),
        (
            {"event": "Asked", "target": None, "knobs": ["lean.ratio"]},
            {"event": "CommandReceived", "deployment": None, "hyperparameters": ["prune.ratio"]},
        ),
        (
            {"event": "StudyStarted", "config": {"grid": ["lean.ratio"], "own": None}},
            {"event": "StudyStarted", "config": {"grid": ["prune.ratio"], "factory": None}},
        ),
        ({"event": "FromElsewhere", "knobs": 1}, {"event": "FromElsewhere", "knobs": 1}),
    ],
)
def test_events_of_format_1_become_events_of_format_2(old, new):
    assert converted(old) == {**new, "format": FORMAT}
    assert converted(converted(old)) == converted(old)


def test_lines_carry_their_format(tmp_path):
    journal = Journal(tmp_path / JOURNAL)
    journal.append(command("pause"))
    assert json.loads(journal.path.read_bytes()[9:])["format"] == FORMAT


def test_a_bundle_of_format_1_still_predicts(home):
    row = {"a": 0.5, "b": -0.5, "c": "red"}
    model = load_model(home.path(NAME) / "trials" / "00000" / "bundle")
    assert model.predict(row) in {"yes", "no"}
    repair(NAME, home)
    assert open_study(NAME, home.folder).best().predict(row) == model.predict(row)


def test_a_bundle_that_is_too_old_or_too_new_is_refused_in_a_sentence(home, monkeypatch):
    folder = home.path(NAME) / "trials" / "00000" / "bundle"
    monkeypatch.setattr(integrity, "OLDEST", 2)
    with pytest.raises(BundleError, match=r"format 1; this version reads 2\n.*lepton export"):
        integrity.read_bundle(folder)
    monkeypatch.setattr(integrity, "FORMAT", 0)
    monkeypatch.setattr(integrity, "OLDEST", 0)
    with pytest.raises(BundleError, match=r"format 1; this version reads 0\n.*Upgrade"):
        integrity.read_bundle(folder)
