"""What networks are compared with: a constant answer and gradient-boosted trees."""

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_pinball_loss

from lepton_automl.data import boosted_trees
from lepton_automl.data.open import open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.errors import LeptonError
from lepton_automl.events import Noted, ReferencesScored
from lepton_automl.execution.executor import RequestFailed
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.jobs import CONTINUE
from lepton_automl.pipelines import references
from lepton_automl.reference_scores import Reference, ReferenceScores, ReferencesJob
from lepton_automl.reporting.references import is_network_worth_it, reference_rows
from lepton_automl.search.budget import BudgetTracker
from lepton_automl.search.references import ReferenceScorer
from lepton_automl.specs import Budget
from lepton_automl.state import StudyState
from lepton_automl.testing.executor import SCRIPTED, job
from lepton_automl.training.scores import in_target_unit
from tests.samples import config

ROWS = 240


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    for module in (boosted_trees, references):
        monkeypatch.setattr(module, "ROUNDS", 10)


def table(folder, kind, **options):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=ROWS), "b": rng.choice(["x", "y", "z"], ROWS)})
    size = frame.a + 2.0 * (frame.b == "x") + 0.1 * rng.normal(size=ROWS)
    labels = [
        [name for name, has in (("big", value > 1), ("x", letter == "x")) if has]
        for value, letter in zip(size, frame.b, strict=True)
    ]
    frame["y"] = {"classes": np.where(size > 0.5, "no", "yes"), "labels": labels}.get(kind, size)
    data = open_data(frame, folder / "data", DataOptions(target="y", folds=options.pop("folds", 0), **options))
    return data, ReferencesJob(data=data.spec, seconds=20.0)


@pytest.mark.parametrize(("kind", "metric"), [("classes", "accuracy"), ("labels", "mean_average_precision"), ("numbers", "r2")])
def test_trees_are_better_than_a_constant_answer(tmp_path, kind, metric):
    data, request = table(tmp_path, kind)
    constant, trees = references.score_references(request).references
    assert (constant.name, trees.name) == ("constant", "boosted_trees")
    assert trees.scores[metric] > constant.scores[metric] + 0.2 and trees.complete and trees.rounds == 10
    if kind == "classes":
        truth = data.validation.targets.numpy()
        assert constant.scores["accuracy"] == pytest.approx(np.mean(truth == np.bincount(data.train.targets.numpy()).argmax()))


def test_quantiles_have_trees_of_their_own(tmp_path):
    data, request = table(tmp_path, "numbers", quantiles=(0.1, 0.9))
    constant, trees = references.score_references(request).references
    truth, known = (in_target_unit(part.targets, data.spec).numpy() for part in (data.validation, data.train))
    ends = np.quantile(known, [0.1, 0.9])
    best = np.mean(
        [mean_pinball_loss(truth, np.full(len(truth), end), alpha=q) for end, q in zip(ends, (0.1, 0.9), strict=True)]
    )
    assert constant.scores["pinball"] == pytest.approx(best, rel=0.1) and trees.scores["pinball"] < constant.scores["pinball"]


def test_with_folds_each_row_is_answered_by_trees_that_have_not_seen_it(tmp_path):
    _, request = table(tmp_path, "numbers", folds=3)
    constant, trees = references.score_references(request).references
    assert trees.rounds == 30 and trees.complete and trees.scores["r2"] > 0.5 > 0.1 > abs(constant.scores["r2"])
    short = references.score_references(request.replace(seconds=0.0)).references[1]
    assert not short.complete and short.rounds == 5


def test_images_are_seen_as_their_linear_model_sees_them(tmp_path):
    images = np.random.default_rng(0).integers(0, 100, (120, 20, 20), np.uint8)
    labels = np.arange(120) % 2
    images[labels == 1, :8, :8] += 100
    data = open_data((images, labels), tmp_path / "data", DataOptions(folds=0))
    _, trees = references.score_references(ReferencesJob(data=data.spec, seconds=10.0)).references
    assert trees.scores["accuracy"] > 0.9


def test_a_request_runs_beside_trials_and_a_failed_one_is_reported(tmp_path):
    _, request = table(tmp_path, "numbers")
    executor = LocalExecutor(2, tmp_path / "study" / "workers", trial_function=SCRIPTED)
    try:
        executor.request(request)
        executor.request(ReferencesJob(data=request.data.replace(folder=str(tmp_path / "gone")), seconds=1.0))
        executor.submit(job(7, tmp_path, rungs=()))
        messages, until = [], time.monotonic() + 600  # workers may start slowly

        def is_over():
            return len([*filter(is_end, messages)]) == 2 and any(getattr(message, "trial", None) == 7 for message in messages)

        while not is_over() and time.monotonic() < until:
            for message in executor.poll(1.0):
                messages.append(message)
                if getattr(message, "waits", False):
                    executor.decide(message.trial, CONTINUE)
        ends = [*filter(is_end, messages)]
        assert {type(end) for end in ends} == {ReferenceScores, RequestFailed}
        assert is_over()
        executor.request(request)  # abandoned
        with pytest.raises(LeptonError):
            executor.run(ReferencesJob(data=request.data.replace(folder=str(tmp_path / "gone")), seconds=1.0))
    finally:
        executor.close()


def is_end(message):
    return isinstance(message, ReferenceScores | RequestFailed)


class Slots:
    """An executor that only takes requests."""

    slots = 2

    def __init__(self):
        self.requests = []

    def now(self):
        return 10.0

    def request(self, request):
        self.requests.append(request)


def scorer(state, executor, minutes=5.0):
    state.config = state.settings.replace(budget=Budget(minutes=minutes))
    return ReferenceScorer(state, executor, BudgetTracker(state))


def test_it_is_requested_once_with_a_twentieth_of_the_budget_when_there_is_a_model(study_state):
    executor, state = Slots(), study_state([(0.9, 1.0)])
    asking = scorer(state, executor)
    asking.start()
    asking.start()
    assert [request.seconds for request in executor.requests] == [15.0] and asking.running
    result = ReferenceScores(references=(Reference(name="constant", scores={"accuracy": 0.1}),))
    event = asking.event(result)
    assert isinstance(event, ReferencesScored) and not asking.running and state.apply(event)
    asking.start()
    assert len(executor.requests) == 1


def test_it_is_left_out_if_time_is_short_or_nothing_is_there_to_compare(study_state):
    for state, minutes in [(study_state([(0.9, 1.0)]), 0.5), (StudyState(config=config()), 5.0)]:
        executor = Slots()
        scorer(state, executor, minutes).start()
        assert not executor.requests
    failed = scorer(study_state([(0.9, 1.0)]), executor)
    failed.start()
    assert isinstance(failed.event(RequestFailed(reason="it broke")), Noted)
    failed.start()
    assert len(executor.requests) == 1


def test_the_report_answers_whether_a_network_is_worth_it(study_state):
    state = study_state([(0.9, 1.0), (0.8, 0.5)])
    assert is_network_worth_it(state) == []
    trees = Reference(name="boosted_trees", scores={"accuracy": 0.95}, rounds=35, complete=False)
    known = ReferenceScores(references=(Reference(name="constant", scores={"accuracy": 0.1}), trees))
    assert state.apply(ReferencesScored(at=99.0, result=known))
    assert [score for _, score in reference_rows(state)] == [0.1, 0.95, 0.9]
    first, second = is_network_worth_it(state)
    assert "the same answer for every row: 10.0 %" in first and "35 rounds in the time" in first and "trial 0: 90.0 %" in first
    assert second.startswith("No network that was tried is better than gradient-boosted trees")
