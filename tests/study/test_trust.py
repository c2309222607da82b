"""A study from elsewhere may contain code; none of it runs before its user trusts it."""

from __future__ import annotations

import os
import stat

import pytest
from typer.testing import CliRunner

from lepton_automl import cli, trust
from lepton_automl.errors import ConfigError, StudyError
from lepton_automl.events import HostBenchmarked, StudyEnded, StudyStarted
from lepton_automl.factory import Factory, factory_of
from lepton_automl.specs import Budget
from lepton_automl.study.bottleneck import bottleneck
from lepton_automl.study.client import StudyClient
from lepton_automl.study.launch import write_request
from lepton_automl.study.study import Study, open_study
from lepton_automl.study_store import StudyStore, study_journal
from tests.custom_networks import make
from tests.samples import benchmarked_host, config, trial_events


@pytest.fixture(autouse=True)
def user(tmp_path, monkeypatch):
    """A user who has not trusted anything yet; where the list is kept."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv(trust.SESSION, "")
    return tmp_path / "config" / "lepton_automl" / "trusted"


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "ran"


@pytest.fixture
def stranger(tmp_path, marker):
    """A study that was copied here, with a factory which leaves a mark wherever it is run."""
    own = Factory(name="make", module="__main__", source=f"open({str(marker)!r}, 'w').close()\ndef make(config, spec): ...\n")
    asked = config(factory=own, budget=Budget(trials=9))
    home = StudyStore(tmp_path / "home")
    folder = home.create("sample")
    write_request(asked, folder)
    journal = study_journal(folder)
    told = [
        StudyStarted(at=1.0, config=asked),
        HostBenchmarked(at=2.0, benchmark=benchmarked_host(), epochs=8),
        *trial_events(0, 0.9, 1.0, 3.0),
    ]
    for event in [*told, StudyEnded(at=9.0, reason="done", chosen=0)]:
        journal.append(event)
    return home


def test_opening_a_study_runs_none_of_its_code(stranger, marker):
    for words in (
        ["status"],
        ["status", "--json"],
        ["front"],
        ["front", "--json"],
        ["list"],
        ["report"],
        ["resume"],
        ["extend", "--trials", "3"],
    ):
        name = [] if words == ["list"] else ["sample"]
        CliRunner().invoke(cli.app, [words[0], *name, *words[1:]], env={"LEPTON_HOME": str(stranger.folder)})
    assert not marker.exists()
    study = Study("sample", stranger)
    assert len(study.front) == 1 and study.state.settings.factory
    with pytest.raises(StudyError, match=r"(?s)have not trusted this code yet.*lepton resume sample --trust"):
        study.resume()
    assert not stranger.running("sample")


def test_a_profile_of_its_network_asks_for_trust_before_a_worker_starts(stranger, marker):
    with pytest.raises(StudyError, match=r"(?s)have not trusted this code yet.*lepton resume sample --trust") as caught:
        bottleneck(StudyClient("sample", stranger), 0, progress=False)
    assert str(caught.value).count("What to do") == 1 and not marker.exists()


def test_trust_stands_where_the_study_cannot_go_on(stranger):
    told = CliRunner().invoke(cli.app, ["resume", "sample", "--trust"], env={"LEPTON_HOME": str(stranger.folder)})
    assert "its code may run here from now on" in told.output
    assert Study("sample", stranger).state.settings.factory.untrusted() == ""


def test_code_loads_once_it_is_trusted_and_that_is_remembered_outside_of_the_study(stranger, marker, user, monkeypatch):
    own = Study("sample", stranger).state.settings.factory
    with pytest.raises(ConfigError, match="trust"):
        own.load()
    assert not marker.exists()
    open_study("sample", stranger.folder, trust=True)
    monkeypatch.setenv(trust.SESSION, "")  # another process of the same user
    assert own.load().__name__ == "make" and marker.exists()
    assert user.read_text().split() == [own.digest] and stat.S_IMODE(user.stat().st_mode) == 0o600
    assert not any("trust" in path.name for path in stranger.folder.rglob("*"))
    open_study("sample", stranger.folder, trust=True)
    assert user.read_text().split() == [own.digest]


@pytest.mark.parametrize(
    "change", [{"source": "def make(config, spec): evil()"}, {"paths": ("/tmp/evil",)}, {"name": "other"}, {"module": "os"}]
)
def test_other_code_is_not_trusted_with_it(stranger, change):
    own = open_study("sample", stranger.folder, trust=True).state.settings.factory
    assert own.untrusted() == "" and own.replace(**change).untrusted()
    with pytest.raises(ConfigError, match="trust"):
        own.replace(**change).load()


def test_a_module_by_name_is_code_too(marker, tmp_path, monkeypatch):
    (tmp_path / "theirs.py").write_text(f"open({str(marker)!r}, 'w').close()\ndef make(config, spec): ...\n")
    with pytest.raises(ConfigError, match="the module theirs"):
        Factory(name="make", module="theirs", paths=(str(tmp_path),)).load()
    assert not marker.exists()


def test_a_programs_own_code_is_trusted(user):
    factory = factory_of(make)
    assert factory.load() is make and user.read_text().split() == [factory.digest]


def test_without_a_trust_file_code_is_trusted_for_this_process(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    trust.remember("abc")
    assert trust.is_trusted("abc") and os.environ[trust.SESSION] == "abc"
    monkeypatch.setenv(trust.SESSION, "")
    assert not trust.is_trusted("abc")
