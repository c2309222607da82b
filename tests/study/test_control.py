"""A study is a process: it is driven from elsewhere, killed, taken up, and comes to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from functools import partial

import pytest

from lepton_automl import AutoML, Budget, ConfigError, StudyError, open_study
from lepton_automl.data.demo import digits
from lepton_automl.events import CommandReceived, StudyEnded, StudyStarted, TrialEnded
from lepton_automl.study.commands import command
from lepton_automl.study.control import extended
from lepton_automl.study.process import Inbox
from lepton_automl.study_store import StudyStore
from tests import samples

SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job, as this may be, ignores it
from lepton_automl import AutoML, Budget
from lepton_automl.data.demo import digits
images, labels = digits()
automl = AutoML(
    name="driven", budget=Budget(minutes=30), workers=1, hyperparameters={"model.width": 8, "model.depth1": 1},
    initial_configs=[{"train.lr": 0.015}],
)
study = automl.fit(images[:300], labels[:300], folds=0)
print("chosen", study.best())
"""
PATIENCE = 120.0  # seconds, on a machine with other work
SOON = 3.0  # seconds until an answer; well below one on a quiet machine, which a test run is not
until = partial(samples.until, seconds=PATIENCE)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    yield folder
    house = StudyStore(folder)
    for name in filter(house.running, house.studies):  # of a test that failed
        os.kill(house.process_info(name)["pid"], signal.SIGKILL)


def answered(ask, **how) -> float:
    """Seconds until a command was handled."""
    began = time.monotonic()
    ask(**how)
    return time.monotonic() - began


def quiet(study) -> bool:
    """Whether nothing happens for a while; reports from before the pause may still arrive."""
    before = study.state.last_at
    time.sleep(0.6)
    return study.state.last_at == before


def completed(study) -> int:
    return sum(trial.status == "complete" for trial in study.state.trials.values())


def test_a_study_lives_on_its_own(home):
    """Launched by a script, driven from here, interrupted there, extended, killed, taken up, stopped."""
    environment = {**os.environ, "LEPTON_HOME": str(home)}
    script = subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment, stdout=subprocess.PIPE, text=True)
    until((home / "studies" / "driven" / "journal.jsonl").exists, "the study did not begin")
    study = open_study("driven", home=home)
    until(lambda: completed(study) or script.poll() is not None, "no trial came to its end")

    assert study.status == "running" and study.state.trials[0].proposed.origin == "enqueued"
    assert study.state.trials[0].proposed.config["train.lr"] == 0.015
    assert answered(study.pause) < SOON and study.status == "paused"
    until(lambda: quiet(study), "it does not hold still")
    assert answered(study.resume) < SOON and study.status == "running"
    with pytest.raises(ConfigError, match="no hyperparameter"):
        study.control.enqueue({"train.rate": 1})
    assert answered(study.control.enqueue, config={"train.lr": 0.017}) < SOON
    assert answered(study.extend, minutes=1) < SOON and study.state.settings.budget.minutes == 31
    until(lambda: any(one.proposed.config["train.lr"] == 0.017 for one in study.state.trials.values()), "nothing was enqueued")

    script.send_signal(signal.SIGINT)
    output, _ = script.communicate(timeout=PATIENCE)
    assert script.returncode == 0 and "stopping" in output and "chosen <StudyModel driven/" in output
    assert study.status == "ended" and study.state.ended.reason == "stopped by the user" and study.state.registered
    with pytest.raises(StudyError, match="the study has ended"):
        study.pause()

    study.extend(minutes=1)
    assert study.status == "running" and study.state.ended is None
    os.kill(study.home.process_info("driven")["pid"], signal.SIGKILL)
    until(lambda: study.status == "lost", "the killed process runs on")
    with pytest.raises(StudyError, match="lepton resume driven"):
        study.stop()
    known = len(study.state.trials)
    study.resume()
    assert study.status == "running" and study.state.settings.budget.minutes == 32
    until(lambda: len(study.state.trials) > known, "it was not taken up")

    assert answered(study.stop, wait=False) < SOON
    study.wait()
    assert study.state.ended.at - study.state.commands[-1].at < 30 and study.status == "ended"
    assert study.state.ended.chosen == study.best().number and len(study.state.registered) == 2
    assert not study.state.running


def test_a_study_with_callbacks_ends_and_is_extended_and_is_an_optuna_study(home):
    seen = []

    def broken(event, study):
        raise ValueError("oops")

    images, labels = digits()
    hyperparameters = {"model.width": 8, "model.depth1": 1}
    automl = AutoML(
        name="short",
        home=home,
        budget=Budget(trials=1),
        workers=1,
        hyperparameters=hyperparameters,
        progress=False,
        callbacks=[broken, lambda event, study: seen.append((type(event), len(study.state.trials)))],
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        study = automl.fit(images[:300], labels[:300], folds=0, wait=True)
    assert sum("a callback failed at StudyStarted (ValueError: oops)" in str(one.message) for one in caught) == 1
    kinds = [kind for kind, _ in seen]
    assert kinds[0] is StudyStarted and kinds.count(TrialEnded) == 1 and StudyEnded in kinds
    with pytest.raises(StudyError, match="short-2"):
        AutoML(name="short", home=home).fit(images, labels, resume=True)

    with pytest.raises(StudyError, match="the budget of 1 trial is spent"):
        study.resume()
    study.extend(trials=1)
    study.wait()
    assert len(study.state.trials) == 2 and study.state.ended.reason == "the budget of 2 trials is spent"
    assert len(study.to_optuna().trials) == 2


def test_a_budget_is_extended_in_its_own_units():
    assert extended(Budget(trials=4, minutes=2), {"trials": 3, "cost": None}) == Budget(trials=7, minutes=2)
    with pytest.raises(ConfigError, match="has no epochs") as error:
        extended(Budget(trials=4), {"epochs": 3, "trials": -1})
    assert "trials is -1" in str(error.value) and "extend(trials=...)" in str(error.value)
    with pytest.raises(ConfigError, match="no amount is given"):
        extended(Budget(trials=4), {"epochs": None})


def test_handled_commands_are_not_repeated_and_the_rest_outlive_the_process(tmp_path):
    from lepton_automl.journal import Journal

    asked = [command("pause"), command("enqueue", config={"model.width": 8}), command("stop")]
    for one in asked:
        Journal(tmp_path / "asked.jsonl").append(one)
    inbox = Inbox(tmp_path)
    assert inbox() == asked and inbox() == []
    Journal(tmp_path / "journal.jsonl").append(asked[0])
    with open(tmp_path / "asked.jsonl", "a") as file:
        file.write("torn")
    again = Inbox(tmp_path)
    assert again() == asked[1:] and again() == []
    again.terminate(signal.SIGTERM, None)
    assert [one.what for one in again()] == ["stop"] and isinstance(asked[0], CommandReceived)
