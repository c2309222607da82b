"""A study averages its best networks at the end, in one more model."""

from __future__ import annotations

import numpy as np
import pytest

from lepton_automl import AutoML, Budget, load_model
from lepton_automl.reporting.tables import network
from lepton_automl.study.ensemble_plan import candidates
from lepton_automl.study_store import BUNDLE, RETRAINED, trial_folder
from tests.study.test_code import last_scores

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 6)).astype(np.float32)
    return x, np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + rng.normal(scale=0.3, size=600)


@pytest.fixture(scope="module")
def study(tmp_path_factory, table):
    request = AutoML(name="study", home=tmp_path_factory.mktemp("home"), budget=Budget(trials=5), refit="none", progress=False)
    return request.fit(*table, folds=0)


def ensembles(study):
    return [trial for trial in study.state.trials.values() if trial.is_ensemble]


def test_it_is_a_trial_that_averages_its_members(study, table):
    (trial,) = ensembles(study)
    assert trial.status == "complete" and not trial.proposed.config and len(trial.proposed.members) > 1
    weights = trial.result.recipe["weights"]
    answers = [load_model(study.client.twin(number)).predict(table[0][:50]) for number in trial.proposed.members]
    expected = np.average(answers, axis=0, weights=weights)
    np.testing.assert_allclose(
        load_model(study.client.twin(trial.number)).predict(table[0][:50]), expected, rtol=2e-2, atol=2e-2
    )
    assert trial.scores["rmse"] < min(study.state.trials[number].scores["rmse"] for number in trial.proposed.members)
    assert network(trial).startswith("ensemble of ") and not candidates(study.state)


def test_it_is_shown_with_its_members(study):
    (trial,) = ensembles(study)
    text = study.report.html(progress=False)
    assert "the mean of the answers of other trials" in text
    assert len(study.trials) == 6 and (study.trials["origin"] == "ensemble").sum() == 1
    assert study.to_optuna().trials[-1].user_attrs["members"] == ",".join(map(str, trial.proposed.members))


def test_its_code_puts_its_networks_together(study, tmp_path):
    (trial,) = ensembles(study)
    scores = last_scores(study.code(trial.number), tmp_path)
    assert scores["rmse"] == pytest.approx(trial.result.scores["rmse"], rel=1e-3)


def test_its_networks_are_trained_again(study):
    (trial,) = ensembles(study)
    model = study.model(trial.number).refit(progress=False)
    refitted = study.state.trial(trial.number).refitted.result
    assert model.refitted and refitted.retrained == tuple(sorted(trial.proposed.members))
    card = (model.path / "README.md").read_text()
    assert "its networks of trial " in card and "were trained again" in card
    for number in trial.proposed.members:
        assert (trial_folder(study.folder, number) / RETRAINED / "recipe.json").is_file()
    assert model.path != trial_folder(study.folder, trial.number) / BUNDLE


def test_a_study_goes_on_after_it(study):
    before = len(study.state.trials)
    study.extend(trials=3)
    study.wait()
    assert study.status == "ended" and len(study.state.trials) > before
    latest = max(trial.number for trial in ensembles(study))
    assert latest >= before - 1


def test_none_is_made_if_none_is_wanted(tmp_path, table):
    request = AutoML(name="plain", home=tmp_path, budget=Budget(trials=3), ensemble="none", refit="none", progress=False)
    assert not ensembles(request.fit(*table, folds=0))


def test_with_folds_its_members_answer_for_rows_that_they_have_not_seen(tmp_path, table):
    alike = {"model.embedding": "periodic", "model.width": 64, "model.depth": 2, "model.heads": 1}
    request = AutoML(name="folds", home=tmp_path, budget=Budget(trials=4), hyperparameters=alike, progress=False)
    study = request.fit(table[0][:200], table[1][:200], folds=3)
    (trial,) = ensembles(study)
    assert trial.scores["rmse"] < min(study.state.trials[number].scores["rmse"] for number in trial.proposed.members)
    assert trial.resampled is not None
