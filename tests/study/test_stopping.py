"""How a search is stopped: by the user, by signals, and never by a signal to another process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lepton_automl.errors import StudyError
from lepton_automl.locks import started
from lepton_automl.study.client import StudyClient
from lepton_automl.study.commands import CommandSender
from lepton_automl.study.control import StudyControl
from lepton_automl.study.interrupts import Interrupts, Terminated, ending
from lepton_automl.study.process import Inbox
from lepton_automl.study.study import Study
from lepton_automl.study_store import StudyStore, write_process_info
from tests import samples

PATIENCE = 240.0  # seconds, on a machine with other work


def lepton(*words: str, home: Path, fails: bool = False) -> str:
    """What a command prints."""
    result = subprocess.run(
        [sys.executable, "-m", "lepton_automl", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LEPTON_HOME": str(home)},
        timeout=PATIENCE,
    )
    assert fails or result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


# Signals


@pytest.fixture
def usual():
    """Signals mean what they mean to a fresh process, as far as a test may change them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def get(number: int) -> None:
    """Let this process get a signal, as far as Python sees it."""
    signal.getsignal(number)(number, None)


def test_a_command_handles_sigterm_and_sighup_between_two_polls(usual):
    with Interrupts(ends=True) as interrupts:
        interrupts.raise_pending()
        get(signal.SIGTERM)
        get(signal.SIGTERM)  # again: it is being done
        with pytest.raises(Terminated, match="SIGTERM") as error:
            interrupts.raise_pending()
        assert error.value.code == 143
        interrupts.raise_pending()
        get(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            get(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_handlers_that_the_process_set_itself_are_kept(usual):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    signal.signal(signal.SIGTERM, mine := lambda *_: None)
    with ending(), Interrupts(ends=True):
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN and signal.getsignal(signal.SIGTERM) is mine


def test_a_signal_before_the_search_ends_the_command(usual):
    with pytest.raises(Terminated, match="SIGTERM"), ending():
        get(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


# Whom a signal may reach


def test_only_the_search_itself_is_signalled(tmp_path, monkeypatch):
    home = StudyStore(tmp_path)
    home.create("one")
    monkeypatch.setattr("lepton_automl.study.commands.NUDGE", 0.0)
    monkeypatch.setattr("lepton_automl.study.commands.START", 0.5)
    with home.lock("one") as alive:  # by a launcher: a notebook's kernel, perhaps
        assert home.process_info("one")["pid"] == os.getpid() and home.search_pid("one") is None
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        write_process_info(alive, pid=other.pid)
        assert home.search_pid("one") is None
        write_process_info(alive, pid=other.pid, since="1")  # of a process before it, which had the number
        assert home.search_pid("one") is None
        write_process_info(alive, pid=other.pid, since=started(other.pid))
        assert home.search_pid("one") == other.pid
        other.kill()
        other.wait()
        assert home.search_pid("one") is None
        with monkeypatch.context() as patch:
            patch.setattr(os, "kill", lambda pid, number: pytest.fail(f"{number} was sent to {pid}"))
            with pytest.raises(StudyError, match="does not respond to 'stop'"):
                StudyControl(StudyClient("one", home)).stop()
    assert [one.what for one in Inbox(home.path("one"))()] == ["stop"]  # the launched process receives it
    CommandSender(StudyClient("one", home)).stop_before_start()  # no process runs it
    assert not home.path("one").exists()


# For real


@pytest.fixture
def table(tmp_path):
    """A small table, of which a search takes a while."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(600, 6)), columns=list("abcdef"))
    frame["y"] = np.where(frame.a + frame.b > 0, "high", "low")
    frame.to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path / "rows.csv"


@pytest.fixture
def home(tmp_path):
    """A home; what still runs there after a test is killed."""
    folder = tmp_path / "home"
    yield folder
    house = StudyStore(folder)
    for name in filter(house.running, house.studies):
        os.kill(house.process_info(name)["pid"], signal.SIGKILL)


def begun(study: Study) -> bool:
    """Whether a model is ready."""
    return (study.folder / "journal.jsonl").exists() and bool(study.state.front())


def command(table: Path, home: Path, *more: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A search in the foreground, without a terminal, which has one model."""
    words = [*before, sys.executable, "-m", "lepton_automl", "search", str(table), "--target", "y", "--name", "one"]
    process = subprocess.Popen(
        [*words, "--minutes", "30", "--workers", "1", *more],
        env={**os.environ, "LEPTON_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509  # under nohup it would be ignored
    )
    study = Study("one", home)
    samples.until(lambda: begun(study) or process.poll() is not None, "no model was ready", seconds=PATIENCE)
    return process


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminated_command_stops_its_search_and_publishes(table, home, number):
    process = command(table, home, "--grace", "120")
    process.send_signal(number)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0 and f"stopping after {number.name}" in output and "chosen: <StudyModel one/" in output
    study = Study("one", home)
    assert study.status == "ended" and study.client.is_published and study.state.ended.reason == "stopped by the user"


@pytest.mark.slow
def test_what_is_not_ready_in_time_waits_for_resume(table, home):
    process = command(table, home, "--grace", "1")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143 and "lepton resume one continues where it was" in output
    study = Study("one", home)
    samples.until(lambda: not study.home.running("one"), "the search goes on", seconds=30)
    models = len(study.state.front())
    assert models and not study.client.is_published
    lepton("resume", "one", home=home)
    lepton("stop", "one", home=home)
    assert study.client.is_published and len(study.state.front()) >= 1


@pytest.mark.slow
def test_process_1_of_a_container_handles_sigterm(table, home):
    isolated = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    if subprocess.run([*isolated, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process may be put into a namespace of its own here")
    process = command(table, home, before=isolated)
    inner = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
    os.kill(inner, signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert "stopping after SIGTERM" in output and process.returncode in {0, 143}
    study = Study("one", home)
    assert not study.home.running("one") and study.state.front()


@pytest.mark.slow
def test_a_detached_search_is_stopped_at_once_and_outlives_its_launcher(table, home):
    words = ("search", str(table), "--target", "y", "--minutes", "30", "--workers", "1", "--detach", "--name")
    assert "lepton stop one" in lepton(*words, "one", home=home)
    assert "one is stopped" in lepton("stop", "one", home=home)
    study = Study("one", home)
    assert not study.home.running("one")
    lepton(*words, "two", home=home)
    study = Study("two", home)
    samples.until(lambda: begun(study), "it did not outlive what launched it", seconds=PATIENCE)
    assert study.home.search_pid("two")
    began = time.monotonic()
    study.pause()
    assert time.monotonic() - began < 30 and study.status == "paused"
    study.stop()
    assert study.client.is_published
