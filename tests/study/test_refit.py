"""The chosen model is trained again on training and validation rows; its scores stay those of its twin."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lepton_automl import AutoML, Budget, StudyError, load_model
from lepton_automl.data.demo import digits
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.families import space_for
from lepton_automl.jobs import CONTINUE
from lepton_automl.pipelines.refit import refit
from lepton_automl.pipelines.trial import run_trial
from lepton_automl.plans import TrainPlan
from lepton_automl.refit import RefitJob
from lepton_automl.reporting import narrative
from lepton_automl.study.refit_plan import kept_epoch, lineage, refit_job, refit_obstacle, refit_seconds
from lepton_automl.study_store import BUNDLE, REFIT
from lepton_automl.variant import Variant
from tests.api.test_import_and_arguments import lepton
from tests.samples import trial_job, two_classes


@pytest.fixture(scope="module")
def table():
    return two_classes()


@pytest.fixture(scope="module")
def study(tmp_path_factory, table):
    request = AutoML(name="study", home=tmp_path_factory.mktemp("home"), budget=Budget(trials=3), progress=False)
    return request.fit(*table, folds=0)


def test_the_chosen_model_has_learned_from_the_validation_rows(study):
    model = study.best()
    refitted, data = study.state.trial(model.number).refitted, study.state.settings.data
    assert model.refitted and model.path.name == REFIT and refitted.result.learned == data.train + data.validation
    assert all(not other.refitted for other in study.models if other.number != model.number)
    assert model.score == study.state.score(study.state.trial(model.number))
    card = (model.path / "README.md").read_text()
    assert f"trained again, with the same settings, on {refitted.result.learned:,} rows" in card
    assert json.loads((model.path / "provenance.json").read_text())["refitted_on"] == "validation"


def test_its_file_differs_from_its_twins_and_keeps_what_was_decided(study, table):
    model = study.best()
    twin, ours = load_model(study.client.twin(model.number)), load_model(model.path)
    rows = table[0][:50]
    assert not np.allclose(ours.predict_proba(rows), twin.predict_proba(rows))
    for name in ("preprocess.json", "runtime.json"):  # the first has the temperature and the quantiles
        assert (study.client.twin(model.number) / name).read_text() == (model.path / name).read_text()


def test_the_report_says_that_it_was_trained_again(study):
    learned = study.state.trial(study.best().number).refitted.result.learned
    assert any(f"trained again on {learned:,} rows" in sentence for sentence in narrative.summary(study.state))


def test_validation_rows_are_predicted_by_the_twin_and_test_rows_by_the_refitted_model(study, table):
    model = study.best()
    analysis = model.analyze_errors(progress=False)
    assert analysis.scores["accuracy"] == pytest.approx(model.score)
    with pytest.raises(StudyError, match="has not been opened"):
        model.refit(rows="all", progress=False)
    with pytest.raises(StudyError, match="learned from the validation rows already"):
        model.refit(progress=False)
    study.evaluate_test()
    tested = model.analyze_errors(split="test", progress=False)
    assert tested.scores["accuracy"] == pytest.approx(model.test_scores["accuracy"])


def test_a_model_that_has_learned_from_the_test_rows_has_no_test_score(study):
    study.evaluate_test()
    model = study.best()
    before, data = model.path.joinpath("model.onnx").read_bytes(), study.state.settings.data
    done = lepton("refit", "study", "--all-rows", home=study.home.folder)
    assert f"learned from {data.train + data.validation + data.test:,} rows" in done
    assert model.test_scores is None and model.path.joinpath("model.onnx").read_bytes() != before
    twin = model.analyze_errors(split="test", progress=False)
    assert twin.scores["accuracy"] == pytest.approx(study.state.tested.scores[model.number]["accuracy"], abs=0.1)


def test_no_refit_is_made_if_none_is_wanted(tmp_path, table):
    request = AutoML(name="plain", home=tmp_path, budget=Budget(trials=2), progress=False, refit="none")
    model = request.fit(*table, folds=0).best()
    assert not model.refitted and model.path.name == BUNDLE
    assert model.refit(progress=False) is model and model.refitted


def test_epochs_and_seconds_follow_from_the_trial_that_was_chosen(study):
    for trial in study.state.trials.values():
        if not trial.is_packed or not trial.epochs:
            continue
        losses = {report.epoch: report.scores["log_loss"] for report in trial.reports if "log_loss" in report.scores}
        assert kept_epoch(study.state, trial) == min(losses, key=losses.get)
        assert 0 < refit_seconds(study.state, [trial]) < 3 * trial.result.seconds
        assert refit_job(study.state, trial, lambda member: f"job {member.number}").epochs == kept_epoch(study.state, trial)


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """A pruned network and its child, trained, with their jobs."""
    folder, (images, labels) = tmp_path_factory.mktemp("family"), digits()
    spec = prepare((images[:500], labels[:500]), folder=folder / "data", options=DataOptions(folds=0))
    config = space_for(spec).defaults | {"prune.ratio": 0.3}
    first = trial_job(1, spec, folder / "1", config=config, train=TrainPlan(epochs=6, seed=5))
    parent = run_trial(first, lambda _: CONTINUE)
    second = trial_job(2, spec, folder / "2", config=config | {"prune.ratio": 0.6}, train=TrainPlan(epochs=3, seed=6))
    second = second.replace(parent=f"{first.folder}/{BUNDLE}")
    return first, parent, second, run_trial(second, lambda _: CONTINUE)


def test_a_child_is_refitted_after_its_parent(family):
    first, _, second, child = family
    request = RefitJob(
        job=second, epochs=3, trials=(first,), trial_epochs=(6,), variant=Variant(), scores=child.scores, profile=child.profile
    )
    told = []
    result = refit(request, told.append)
    assert len({len(Path(second.folder, name, "model.onnx").read_bytes()) for name in (BUNDLE, REFIT)}) == 1
    assert result.learned == second.data.train + second.data.validation
    assert told[0] == "refitting: epoch 1 of 6" and "refitting: epoch 3 of 3" in told


def test_a_refit_that_is_worse_on_the_rows_that_it_has_learned_from_is_refused(family):
    first, parent, *_ = family
    scores = dict.fromkeys(parent.scores, 1.0)
    request = RefitJob(job=first, epochs=1, variant=Variant(), scores=scores, profile=parent.profile)
    with pytest.raises(StudyError, match="trained on more rows"):
        refit(request)


def test_a_quantized_model_is_refitted_into_the_same_variant(family, tmp_path):
    first, parent, *_ = family
    variant = Variant(runtime="onnxruntime", precision="int8", quantizer="onnxruntime")
    request = RefitJob(job=first, epochs=6, variant=variant, scores=parent.scores, profile=parent.profile)
    refit(request)
    assert b"Quantize" in Path(first.folder, REFIT, "model.onnx").read_bytes()


def test_a_lineage_begins_with_its_founder(study):
    trial = study.state.trials[1]
    assert lineage(study.state, trial) == [trial]


def test_test_rows_are_not_added_where_a_teacher_has_no_answers_for_them(study_state):
    state = study_state([(0.9, 0.01)])
    trial = state.trials[0]
    assert not refit_obstacle(state, trial, "all")
    trial.proposed = trial.proposed.replace(config=trial.proposed.config | {"train.teacher": 0.5})
    assert "teacher" in refit_obstacle(state, trial, "all") and not refit_obstacle(state, trial)
