"""A tracker interrupted at any call, next to another one, over any part of the journal: every run arrives once."""

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lepton_automl.errors import StudyError
from lepton_automl.events import (
    CommandReceived,
    HostBenchmarked,
    ModelRegistered,
    StudyEnded,
    StudyPaused,
    StudyResumed,
    StudyStarted,
    TestOpened,
    TrialEnded,
    TrialResumed,
    TrialRetried,
)
from lepton_automl.jobs import TrialResult
from lepton_automl.journal import Journal
from lepton_automl.specs import Budget
from lepton_automl.tracking import tracker as tracking
from lepton_automl.tracking.tracker import Tracker
from tests import samples

from .memory_store import MemoryStore


@st.composite
def lives(draw):
    """A study's events: trials that run in parallel, are stopped, resumed, lost, and end; it pauses and ends."""
    said = [
        StudyStarted(at=1.0, config=samples.config(), versions={"torch": "2"}),
        HostBenchmarked(at=2.0, benchmark=samples.benchmarked_host(), epochs=8),
    ]
    ended, at = [], 3.0
    for number in range(draw(st.integers(1, 5))):
        proposed, weigh, learnt, end = samples.trial_events(number, draw(st.sampled_from([0.5, 0.7, 0.9])), 1.0 + number, at=at)
        how = draw(st.sampled_from(["complete", "stopped", "thawed", "failed"]))
        said += [proposed, weigh, learnt]
        if draw(st.booleans()):
            said.append(TrialRetried(at=at + 2, trial=number, reason="the worker died"))
        stopped = TrialResult(trial=number, status="stopped", reason="behind", epochs=1)
        if how in {"stopped", "thawed"}:
            said.append(TrialEnded(at=at + 2.5, result=stopped))
        if how == "thawed":
            said += [TrialResumed(at=at + 2.6, trial=number, epoch=1)]
            ended.append(number)
        if how in {"complete", "thawed"}:
            said.append(end)
        if how == "failed":
            said.append(TrialEnded(at=at + 3, result=stopped.replace(status="failed", traceback="Traceback: no", reason="no")))
        if draw(st.booleans()):
            said += [StudyPaused(at=at + 4, reason="asked"), StudyResumed(at=at + 5, reason="asked")]
        if draw(st.booleans()):
            said.append(CommandReceived(at=at + 6, uid=f"a{number}", what="extend", budget=Budget(trials=9 + number)))
        if draw(st.booleans()):
            said += [StudyEnded(at=at + 7, reason="spent", chosen=None), StudyResumed(at=at + 8, reason="extended")]
        at += 10
    best = [e.result.trial for e in said if isinstance(e, TrialEnded) and e.result.status == "complete"][:1]
    said.append(StudyEnded(at=at, reason="the budget is spent", chosen=best[0] if best else None))
    for number in best:
        said += [TestOpened(at=at + 1, scores={number: {"accuracy": 0.6}}), ModelRegistered(at=at + 2, trial=number, model="m", version="1", alias="champion")]  # fmt: skip
    return said, {f"uid-{number}" for number in ended}


def told(folder, store, events, looks, monkeypatch, *, once=False):
    """Write a journal, and let a tracker look after each of some events; it may die at any look, and another comes."""
    monkeypatch.setattr(tracking, "opened_store", store.opened)
    journal = Journal(folder / f"{id(store)}.jsonl")
    tracker = Tracker(journal, folder, uri="http://store")
    for number, event in enumerate(events):
        journal.append(event, durable=False)
        if number in looks and not once:
            with contextlib.suppress(StudyError):
                tracker.catch_up()
            if looks[number]:
                tracker = Tracker(journal, folder, uri="http://store")
    store.cut = lambda call, done: None
    tracker.catch_up()
    return tracker


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_interruption_of_the_sync_gives_the_same_result(data, tmp_path_factory, monkeypatch):
    events, thawed = data.draw(lives())
    looks = data.draw(st.dictionaries(st.integers(0, len(events) - 1), st.booleans()), label="looks")
    cuts = data.draw(st.sets(st.tuples(st.integers(1, 60), st.booleans()), max_size=6), label="cuts")
    folder, whole, shaken = tmp_path_factory.mktemp("split"), MemoryStore(), MemoryStore()

    def cut(call, done):
        if (call, done) in cuts:
            raise ConnectionError("cut off")

    shaken.cut = cut
    told(folder, whole, events, {}, monkeypatch, once=True)
    told(folder, shaken, events, looks, monkeypatch)
    assert shaken.holds(thawed) == whole.holds(thawed)
    assert Tracker(Journal(folder / f"{id(shaken)}.jsonl"), folder, uri="http://store").catch_up() == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_two_machines_at_once_leave_no_twins(data, tmp_path_factory, monkeypatch):
    """The other one comes in the middle of any call, before or after it took effect, and writes all there is."""
    events, thawed = data.draw(lives())
    moments = data.draw(st.sets(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=3))
    folder, whole, shared = tmp_path_factory.mktemp("machines"), MemoryStore(), MemoryStore()
    told(folder, whole, events, {}, monkeypatch, once=True)
    journal = Journal(folder / f"{id(shared)}.jsonl")

    def other(call, done):
        if (call, done) in moments:
            moments.discard((call, done))
            with contextlib.suppress(StudyError):
                Tracker(journal, folder, uri="http://store").catch_up()

    shared.cut = other
    for event in events:
        journal.append(event, durable=False)
    monkeypatch.setattr(tracking, "opened_store", shared.opened)
    mine = Tracker(journal, folder, uri="http://store")
    for _ in range(5):  # a look that fails, as where its run was the twin that went, is followed by another
        with contextlib.suppress(StudyError):
            mine.catch_up()
    assert shared.holds(thawed) == whole.holds(thawed)


def test_what_was_deleted_comes_back_by_a_check(tmp_path, monkeypatch):
    store = MemoryStore()
    events = [
        StudyStarted(at=1.0, config=samples.config()),
        *(e for n in range(3) for e in samples.trial_events(n, 0.8, 1.0 + n, at=2.0 + n)),
    ]
    tracker = told(tmp_path, store, events, {}, monkeypatch)
    before = store.holds()
    for run in [run for run in store.runs.values() if run.data.tags.get("lepton.trial") == "1"]:
        store.delete_run(run.info.run_id)
    assert tracker.catch_up() == 0 and tracker.check() == 3
    assert store.holds() == before
