"""What a user can change while a study runs: limits, pinned hyperparameters, variations of a model."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from lepton_automl import AutoML, front, plugins
from lepton_automl.data.demo import digits
from lepton_automl.errors import ConfigError, LimitError, StudyError
from lepton_automl.events import CommandReceived, TrialEnded, TrialProposed, TrialResumed
from lepton_automl.execution.simulated import SimulatedExecutor
from lepton_automl.journal import Journal
from lepton_automl.reporting.terminal import Progress
from lepton_automl.search.sampler import Observation, make_sampler
from lepton_automl.search.to_optuna import to_optuna
from lepton_automl.space import Categorical, Float, Integer, Space
from lepton_automl.specs import Budget, Deployment
from lepton_automl.state import StudyState
from lepton_automl.study.follow import Follower
from lepton_automl.study.runner import search
from lepton_automl.study.study import Study
from lepton_automl.study_store import StudyStore
from tests.api.test_import_and_arguments import lepton
from tests.samples import benchmarked_host, config
from tests.search.recorded_search import GOALS, recorded, table

from .test_control import SOON, answered, completed, until

TIGHT = Deployment(max_latency_ms=1.2)
LIMITED = {6: {"what": "limit", "deployment": TIGHT}, 16: {"what": "limit", "deployment": Deployment()}}
PINNED = {
    5: {"what": "pin", "config": {"model.kernel": 5, "model.block": "plain"}},
    14: {"what": "unpin", "hyperparameters": ("model.kernel",)},
}
SMALL = {"model.width": 8, "model.depth1": 1, "model.depth2": 1}
RETUNED = {9: {"what": "retune", "trial": 0, "trials": 4}}


class Person:
    """Sends commands once a number of trials have ended; commands in the journal are not repeated."""

    def __init__(self, folder: Path, script: dict[int, dict[str, object]]) -> None:
        self.journal, self.script, self.offset = Journal(folder / "journal.jsonl"), dict(script), 0
        self.ends = 0

    def __call__(self) -> list[CommandReceived]:
        for offset, event in self.journal.read(self.offset):
            self.offset = offset
            self.ends += isinstance(event, TrialEnded)
            if isinstance(event, CommandReceived):
                self.script.pop(int(event.uid), None)
        return [CommandReceived(at=0.0, uid=str(number), **said) for number, said in self.script.items() if number <= self.ends]


def steered(home: Path, name: str, script: dict[int, dict[str, object]], *, began: float = 1000.0, trials: int = 22):
    """A study on the virtual clock, its folder and its events."""
    path = StudyStore(home).path(name)
    folder = path if path.exists() else StudyStore(home).create(name)
    executor = SimulatedExecutor(2, recorded, benchmarked_host(epoch_seconds=2.0), began=began)
    state = search(config(name=name, budget=Budget(trials=trials)), folder, executor, inbox=Person(folder, script))
    return state, folder, [event for _, event in Journal(folder / "journal.jsonl").read()]


def at(events, uid: int) -> int:
    """Where commands were sent."""
    return next(place for place, event in enumerate(events) if isinstance(event, CommandReceived) and event.uid == str(uid))


def numbers(trials) -> set[int]:
    return {trial.number for trial in trials}


def beaten_by_none(state: StudyState, trials) -> set[int]:
    listed = list(trials)
    return {listed[row].number for row in front.front(state.costs(listed))}


def test_everything_uses_the_current_limits(tmp_path):
    state, _, events = steered(tmp_path, "limited", LIMITED)
    tightened, lifted = at(events, 6), at(events, 16)
    before, within = StudyState().feed(events[:tightened]), StudyState().feed(events[: tightened + 1])
    whole = [trial for trial in before.trials.values() if trial.status == "complete"]
    slow = [trial for trial in whole if trial.profile.latency_ms > 1.2]
    assert slow and numbers(slow) & numbers(before.front(merged=True))
    assert {within.trials[trial.number].status for trial in slow} == {"infeasible"}
    assert numbers(within.front(merged=True)) == beaten_by_none(before, [trial for trial in whole if trial not in slow])
    assert within.settings.deployment == TIGHT

    running = {number: len(trial.reports) for number, trial in before.running.items() if trial.search_profile.latency_ms > 1.2}
    end = StudyState().feed(events[:lifted])
    assert running and all(len(end.trials[number].reports) == said + 1 for number, said in running.items())
    assert all(end.trials[number].status == "infeasible" for number in running)
    later = [trial for number, trial in end.trials.items() if number not in before.trials and trial.search_profile]
    assert later and all(trial.epochs == 0 for trial in later if trial.search_profile.latency_ms > 1.2)
    assert all(trial.profile.latency_ms <= 1.2 for trial in end.front()) and end.choose().profile.latency_ms <= 1.2

    again = StudyState().feed(events[: lifted + 1])
    models = [trial for trial in again.trials.values() if trial.status == "complete"]
    assert numbers(slow) <= numbers(models) and numbers(again.front(merged=True)) == beaten_by_none(again, models)
    assert state == StudyState().feed(events)


def test_trials_stopped_by_a_limit_resume_once_it_is_removed_and_not_before(tmp_path):
    script = {10: {"what": "limit", "deployment": TIGHT}, 18: {"what": "limit", "deployment": Deployment()}}
    state, _, events = steered(tmp_path, "limited", script)
    lifted = at(events, 18)
    waiting = numbers(one for one in StudyState().feed(events[:lifted]).checkpointed.values() if one.status == "infeasible")
    thawed = [(place, event.trial) for place, event in enumerate(events) if isinstance(event, TrialResumed)]
    assert {place > lifted for place, trial in thawed if trial in waiting} == {True}
    assert any(state.trials[number].status == "complete" for number in waiting)
    assert state.epochs == sum(trial.epochs for trial in state.trials.values())


def test_pinned_hyperparameters_hold_for_every_proposal(tmp_path):
    state, _, events = steered(tmp_path, "pinned", PINNED)
    pinned, unpinned = at(events, 5), at(events, 14)
    proposed = [(place, event) for place, event in enumerate(events) if isinstance(event, TrialProposed)]
    held = [event.config for place, event in proposed if pinned < place < unpinned]
    assert len(held) >= 6 and all(one["model.kernel"] == 5 and one["model.block"] == "plain" for one in held)
    assert any(event.config["model.kernel"] != 5 for place, event in proposed if place < pinned)
    assert all(event.config["model.block"] == "plain" for place, event in proposed if place > pinned)
    assert any(event.config["model.kernel"] != 5 for place, event in proposed if place > unpinned)
    assert state.pinned == {"model.block": "plain"}


def test_variations_of_a_model_come_next_and_are_small(tmp_path):
    state, _, events = steered(tmp_path, "retuned", RETUNED)
    proposed = [event for event in events[at(events, 9) :] if isinstance(event, TrialProposed)]
    assert [event.origin for event in proposed[:4]] == ["retuned"] * 4 and proposed[4].origin != "retuned"
    model = state.trials[0].proposed.config
    turned = [sum(event.config[name] != model[name] for name in model) for event in proposed[:4]]
    assert all(1 <= count <= 3 for count in turned)


def test_a_controlled_search_resumed_anywhere_ends_like_the_uninterrupted_one(tmp_path):
    """The journal is cut off after every command, and at other places; commands in it are not repeated."""
    script = PINNED | RETUNED | {7: LIMITED[6], 12: LIMITED[16]}
    whole, folder, events = steered(tmp_path, "whole", script)
    assert [one.uid for one in whole.commands] == ["5", "7", "9", "12", "14"]
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    asked = [at(events, uid) for uid in script]
    for number, cut in enumerate(sorted({*asked, *(place + 1 for place in asked), len(lines) // 3, len(lines) * 3 // 4})):
        again = StudyStore(tmp_path).create(f"again-{number}")
        (again / "journal.jsonl").write_bytes(b"".join(lines[:cut]))
        state, *_ = steered(tmp_path, again.name, script, began=StudyState().feed(events[:cut]).last_at)
        assert table(state) == table(whole), f"cut before event {cut}"


@pytest.mark.parametrize("name", plugins.BUILT_IN["samplers"])
def test_every_sampler_keeps_pins_and_varies_the_rest(name):
    space = Space(
        hyperparameters={
            "model.a": Categorical(1, 2, 3, default=1),
            "model.b": Categorical("x", "y", default="x"),
            "model.n": Integer(1, 9, default=2),
        }
    )
    drawing = make_sampler(name, space, GOALS, seed=3)
    for number in range(2 if name == "grid" else 12):
        drawing.tell(Observation(drawing.ask(number)[0], (0.5, 1.0)))
    held = [drawing.ask(number, 1, {"model.b": "y"})[0] for number in range(20, 40)]
    assert all(one.keys() == space.keys() and one["model.b"] == "y" for one in held)
    assert name in {"grid", "gp"} or len({(one["model.a"], one["model.n"]) for one in held}) > 1
    assert name == "grid" or drawing.ask(40, 1, space.defaults) == [space.defaults]


def test_a_retrained_sampler_uses_the_new_limits():
    space = Space(hyperparameters={"model.a": Float(0.0, 1.0, default=0.9)})
    drawing = make_sampler("tpe", space, GOALS, seed=0)
    told = [Observation({"model.a": one}, (one, one)) for one in np.linspace(0.01, 1.0, 40)]
    for one in told:
        drawing.tell(one)
    free = [drawing.ask(number)[0]["model.a"] for number in range(20)]
    drawing.relearn([Observation(one.config, one.values, max(0.0, one.values[1] - 0.2)) for one in told])
    within = [drawing.ask(number)[0]["model.a"] for number in range(20)]
    assert np.mean([one < 0.3 for one in within]) > np.mean([one < 0.3 for one in free]) + 0.3


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A study on disk that has ended, and its home."""
    home = tmp_path_factory.mktemp("home")
    steered(home, "ended", {})
    return home


def test_a_study_that_has_ended_shows_its_front_within_the_limits(ended):
    study = Study("ended", ended)
    whole, chosen = study.state.front(), study.state.ended.chosen
    study.control.limit(max_latency_ms=1.2, max_size_bytes=5000)
    assert study.status == "ended" and study.state.settings.deployment.max_size_bytes == 5000
    assert study.state.front() and all(trial.profile.latency_ms <= 1.2 for trial in study.state.front())
    assert study.state.ended.chosen == study.state.choose().number == Study("ended", ended).best().number
    taken = to_optuna(study.state)
    assert {tuple(trial.values) for trial in taken.best_trials} == {
        (study.state.score(model), model.profile.latency_ms) for model in study.state.front(merged=True)
    }
    study.control.limit(max_latency_ms=None)
    assert study.state.settings.deployment == Deployment(max_size_bytes=5000)
    assert numbers(study.state.front()) == numbers(whole) and study.state.ended.chosen == chosen
    study.control.limit(max_size_bytes=None)


def test_limits_that_nothing_meets_are_refused_with_the_fastest_known(ended):
    study = Study("ended", ended)
    events = len(list(Journal(study.folder / "journal.jsonl").read()))
    with pytest.raises(LimitError, match=r"The fastest network here takes 0\.01 ms"):
        study.control.limit(max_latency_ms=0.005)
    with pytest.raises(ConfigError, match="a limit must be a number above 0"):
        study.control.limit(max_latency_ms=-1)
    with pytest.raises(ConfigError, match=r"limit\(max_latency_ms=0.5\)"):
        study.control.limit()
    assert len(list(Journal(study.folder / "journal.jsonl").read())) == events


def test_everything_that_cannot_be_pinned_is_reported_in_one_error(ended):
    study = Study("ended", ended)
    with pytest.raises(ConfigError) as error:
        study.control.pin({"model.kernal": 3, "train.lr": 7.0, "model.kernel": 4})
    message = str(error.value)
    assert "Did you mean 'model.kernel'?" in message and "train.lr=7.0 is out of range" in message and "3, 5, 7" in message
    study.control.pin({"model.kernel": 3})
    study.control.pin({"train.lr": 0.02})
    assert Study("ended", ended).state.pinned == {"model.kernel": 3, "train.lr": 0.02}
    with pytest.raises(ConfigError, match=r"unpin\('model.kernel'\) first"):
        study.control.enqueue({"model.kernel": 5})
    with pytest.raises(ConfigError, match=r"'model.kernle' is not pinned. Did you mean 'model.kernel'\?"):
        study.control.unpin("model.kernle")
    study.control.unpin("model.kernel")
    assert study.state.pinned == {"train.lr": 0.02}
    study.control.unpin()
    with pytest.raises(ConfigError, match="nothing is pinned"):
        study.control.unpin()


def test_an_ended_study_needs_a_budget_before_it_retunes(ended):
    study = Study("ended", ended)
    with pytest.raises(StudyError, match=r"Extend its budget first, then repeat 'retune': extend\(trials=...\)"):
        study.control.retune(0)
    with pytest.raises(ConfigError, match="there is no trial 99"):
        study.control.retune(99)
    with pytest.raises(ConfigError, match="at least 1"):
        study.control.retune(0, trials=0)


@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupt_is_handled_between_events_and_a_second_one_at_once(ended, times):
    heard = []

    def interrupting(event, study):
        heard.append(event)
        if len(heard) == 5:
            for _ in range(times):
                signal.getsignal(signal.SIGINT)(signal.SIGINT, None)  # a real one ends a worker of pytest-xdist

    follower = Follower(Study("ended", ended), Progress(shown=False), [interrupting])
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            follower.run()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    whole = [event for _, event in Journal(StudyStore(ended).path("ended") / "journal.jsonl").read()]
    assert heard == (whole if times == 1 else whole[:5])
    follower.run()
    assert heard == whole


def test_a_real_study_is_controlled_from_python_and_from_the_shell(tmp_path):
    images, labels = digits()
    automl = AutoML(name="real", home=tmp_path, budget=Budget(minutes=30), workers=1, hyperparameters=SMALL, progress=False)
    study = automl.fit(images[:300], labels[:300], folds=0, wait=False)
    try:
        until(lambda: completed(study), "no trial came to its end")
        slowest = max(trial.profile.latency_ms for trial in study.state.trials.values() if trial.profile)
        with pytest.raises(LimitError, match="The fastest network here takes"):
            study.control.limit(max_latency_ms=1e-6)
        assert answered(study.control.limit, max_latency_ms=slowest * 2) < SOON
        assert answered(study.control.pin, config={"model.pool": 1}) < SOON
        assert "now pinned: model.pool=1, model.squeeze=False" in lepton("pin", "real", "model.squeeze=false", home=tmp_path)
        assert "up to 2 variations" in lepton("retune", "real", "0", "--trials", "2", home=tmp_path)
        assert "within the limits" in lepton(
            "limit", "real", "--max-latency-ms", "none", "--max-size-kb", "4000", home=tmp_path
        )
        assert study.state.settings.deployment == Deployment(max_size_bytes=4_000_000)
        assert "now pinned: model.squeeze=False" in lepton("unpin", "real", "model.pool", home=tmp_path)
        until(lambda: any(one.proposed.origin == "retuned" for one in study.state.trials.values()), "nothing was retuned")
        retuned = [one.proposed.config for one in study.state.trials.values() if one.proposed.origin == "retuned"]
        assert all(one["model.pool"] == 1 and one["model.squeeze"] is False for one in retuned)
    finally:
        study.stop()
    assert study.status == "ended" and study.state.ended.reason == "stopped by the user"
