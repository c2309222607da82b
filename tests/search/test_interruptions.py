"""What breaks into a search: interruption, requests, a full disk, a worker that is lost; it goes on, or ends with what it has."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_automl.errors import StudyError
from lepton_automl.events import CommandReceived, Noted, StudyPaused, TrialEnded, TrialResumed, TrialRetried
from lepton_automl.execution.executor import Place
from lepton_automl.execution.simulated import SimulatedExecutor
from lepton_automl.jobs import TrialResult
from lepton_automl.journal import Journal
from lepton_automl.search import journal_retry
from lepton_automl.specs import Budget
from lepton_automl.state import StudyState
from lepton_automl.study.runner import search
from lepton_automl.study_store import StudyStore
from tests.samples import benchmarked_host, config

from .recorded_search import recorded, run, table


def test_an_interrupted_search_keeps_what_it_found(tmp_path):
    def interrupt(event):
        if isinstance(event, TrialEnded) and event.result.trial == 4:
            raise KeyboardInterrupt

    folder = StudyStore(tmp_path).create("sample")
    executor = SimulatedExecutor(2, recorded, benchmarked_host(), began=1000.0)
    state = search(config(budget=Budget(trials=30)), folder, executor, interrupt)
    assert state.ended.reason == "the search was interrupted" and state.front()
    assert all(trial.result is not None for trial in state.trials.values())


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(cut=st.floats(0.0, 1.0), torn=st.integers(0, 40))
def test_a_search_resumed_anywhere_ends_like_the_uninterrupted_one(tmp_path_factory, cut, torn):
    """The journal is cut off at any byte, as by a kill, and the search continues with the clock of its last event."""
    home = tmp_path_factory.mktemp("home")
    whole, folder, _, told = run(home, "whole", budget=Budget(trials=40))
    assert any(isinstance(event, TrialResumed) for event in told)
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    kept = b"".join(lines[: 2 + int(cut * (len(lines) - 3))])
    again = StudyStore(home).create("again")
    (again / "journal.jsonl").write_bytes(kept + lines[-1][:torn])
    last = StudyState.replay(StudyStore(home).journal("again")).last_at
    state = search(config(), again, SimulatedExecutor(2, recorded, benchmarked_host(epoch_seconds=2.0), began=last))
    assert table(state) == table(whole) and not state.running


def test_the_users_commands_are_handled(tmp_path):
    folder = StudyStore(tmp_path).create("sample")
    executor = SimulatedExecutor(2, recorded, benchmarked_host(epoch_seconds=2.0), began=0.0)
    script = {
        40: CommandReceived(at=0.0, uid="a", what="pause"),
        80: CommandReceived(at=0.0, uid="b", what="resume"),
        90: CommandReceived(at=0.0, uid="c", what="enqueue", config={"model.width": 9}),
        100: CommandReceived(at=0.0, uid="d", what="extend", budget=Budget(trials=1000)),
        2000: CommandReceived(at=0.0, uid="e", what="stop"),
    }
    looks = itertools.count()

    def inbox():
        asked = script.get(next(looks))
        return [asked.replace(at=executor.now())] if asked else []

    state = search(config(budget=Budget(trials=4)), folder, executor, inbox=inbox)
    assert [one.what for one in state.commands] == ["pause", "resume", "enqueue", "extend", "stop"]
    assert state.ended.reason == "stopped by the user" and len(state.trials) > 10 and not state.running
    assert 6 < state.idle < 10 and state.paused is None  # 40 looks, a fifth of a second each
    assert any(one.proposed.origin == "enqueued" and one.proposed.config["model.width"] == 9 for one in state.trials.values())


@pytest.mark.parametrize("what", ["stop", "resume", "enqueue"])
def test_a_search_that_cannot_write_its_journal_still_receives_commands(tmp_path, monkeypatch, what):
    folder = StudyStore(tmp_path).create("sample")
    executor = SimulatedExecutor(2, recorded, benchmarked_host(epoch_seconds=2.0), began=0.0)
    append, full, looks = Journal.append, [], itertools.count()
    monkeypatch.setattr(journal_retry, "RETRY", 1000.0 if what == "resume" else 0.5)

    def refusing(journal, event, *, durable=True):
        if full:
            raise StudyError("cannot write the journal: No space left on device", where=str(journal.path))
        append(journal, event, durable=durable)

    def fill(event):
        if isinstance(event, TrialEnded) and event.result.trial == 3:
            full.append("full")

    def inbox():
        """A command is sent while the disk is full; afterwards there is space, unless it ended the search."""
        if not full or next(looks) != 1:
            return []
        if what != "stop":
            full.clear()
        return [CommandReceived(at=executor.now(), uid="a", what=what, config={"model.width": 9})]

    monkeypatch.setattr(Journal, "append", refusing)
    asked = config(budget=Budget(trials=8))
    if what == "stop":
        with pytest.raises(StudyError, match=r"(?s)stopped while its journal could not be written .*lepton resume sample"):
            search(asked, folder, executor, fill, inbox)
        full.clear()
        again = SimulatedExecutor(2, recorded, benchmarked_host(epoch_seconds=2.0), began=executor.now())
        state = search(asked, folder, again)  # whoever resumes it takes the stop back
    else:
        state = search(asked, folder, executor, fill, inbox)
    assert len(state.trials) == 8 and all(trial.result for trial in state.trials.values())
    assert [one.what for one in state.commands] == ([] if what == "stop" else [what])
    assert StudyState.replay(Journal(folder / "journal.jsonl")) == state


def test_a_trial_whose_worker_is_lost_is_retried_once(tmp_path):
    class Losing(SimulatedExecutor):
        """Its workers die under trials 2 (once) and 4 (always)."""

        def __init__(self) -> None:
            super().__init__(2, recorded, benchmarked_host())
            self.lost = []

        def poll(self, timeout):
            return [self.lose(one) if isinstance(one, TrialResult) else one for one in super().poll(timeout)]

        def lose(self, result):
            first = result.trial not in self.lost
            self.lost.append(result.trial)
            if (result.trial == 2 and first) or result.trial == 4:
                return TrialResult(trial=result.trial, status="failed", reason="the worker process died", fault="worker")
            return result

    executor = Losing()
    state = search(config(budget=Budget(trials=8)), StudyStore(tmp_path).create("sample"), executor)
    assert executor.lost.count(2) == 2 == executor.lost.count(4)
    assert state.trials[2].status != "failed" and state.trials[2].retries == 1
    assert state.trials[4].status == "failed" and state.trials[4].result.reason == "the worker process died"


def test_a_search_goes_on_where_its_places_come_and_go(tmp_path):
    executor = SimulatedExecutor(2, recorded, benchmarked_host(epoch_seconds=2.0), began=1000.0)
    executor.change_places(1010.0, [])
    executor.change_places(1020.0, [Place(id="a", host="one"), Place(id="b", host="two", slots=2)])
    executor.change_places(1030.0, [Place(id="b", host="two", slots=2)])
    events = []
    state = search(config(), StudyStore(tmp_path).create("moving"), executor, events.append)
    retried = [event for event in events if isinstance(event, TrialRetried)]
    assert len(retried) >= 2 and not any(event.counted for event in retried)
    assert [event.text for event in events if isinstance(event, Noted) and "used" in event.text] == [
        "recording on recording can no longer be used",
        "a on one, b on two can be used now",
        "a on one can no longer be used",
    ]
    assert not any(isinstance(event, StudyPaused) for event in events)
    whole, *_ = run(tmp_path, "staying")
    assert len(state.trials) == len(whole.trials) and {trial.status for trial in state.trials.values()} <= {
        trial.status for trial in whole.trials.values()
    }
    for number in {event.trial for event in retried}:  # nothing that was earned is lost
        epochs = [report.epoch for report in state.trials[number].reports]
        assert epochs == sorted(set(epochs)) and state.trials[number].epochs == epochs[-1]
