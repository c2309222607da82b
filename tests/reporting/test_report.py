"""The report of a study: its model's errors, its data and machine, and no markup from either."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image

from lepton_automl import AutoML, Budget, ConfigError, StudyError, load_model
from lepton_automl.data.demo import digits
from lepton_automl.data.open import open_data
from lepton_automl.error_analysis import ErrorAnalysis
from lepton_automl.events import StudyStarted
from lepton_automl.explanation import ExplainedRows
from lepton_automl.permutation_importance import PermutationImportance
from lepton_automl.reporting.about_data import DataReport
from lepton_automl.reporting.context import ReportContext
from lepton_automl.reporting.report import plots_html, report_html
from lepton_automl.state import StudyState
from lepton_automl.study.explain import each_of, explain_worst
from lepton_automl.study.report import pages, report_context
from lepton_automl.study.result_cache import cached_result
from lepton_automl.study_store import trial_folder
from tests.api.test_import_and_arguments import lepton, python
from tests.samples import (
    config,
    image_spec,
    table_spec,
)

from .hostile_study import hostile_explained, hostile_importance, numbers_examined


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A real one: three networks on real digits."""
    images, labels = digits()
    study = AutoML(name="seen", budget=Budget(trials=3), home=tmp_path_factory.mktemp("home"), progress=False)
    return study.fit(images[:600], labels[:600], folds=0)


def test_the_chosen_models_errors_are_analyzed_at_the_end_and_agree_with_its_score(study):
    model = study.best()
    folder = trial_folder(study.folder, model.number)
    found = cached_result(folder, "examined-validation", ErrorAnalysis)
    assert found is not None and found == model.analyze_errors(progress=False) == ErrorAnalysis.from_json(
        json.loads(json.dumps(found.to_json()))
    )
    assert found.scores["accuracy"] == pytest.approx(model.score) and found.rows == study.state.settings.data.validation
    assert sum(count for _, _, count in found.confusion) == found.rows == sum(one.rows for one in found.classes)
    assert found.wrong == round((1 - model.score) * found.rows)
    losses = [one.loss for one in found.worst]
    assert losses == sorted(losses, reverse=True) and len(losses) == min(12, found.wrong) > 0
    assert all(one.truth != one.answer for one in found.worst)  # what is right is no error, however unsure
    card = (folder / "bundle" / "README.md").read_text()
    assert found.calibration_verdict and found.calibration_verdict in card  # card and report agree
    validation = open_data(study.state.settings.data).validation.inputs["image"].numpy()
    worst = found.worst[0]
    assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(worst.picture)))) == validation[worst.row, 0]).all()
    twin = load_model(study.client.twin(model.number))  # the chosen model itself has learned from this row since
    assert twin.predict(validation[worst.row, 0]) == worst.answer


def test_what_matters_to_the_chosen_model_is_measured_at_the_end_and_shown(study):
    model = study.best()
    found = cached_result(trial_folder(study.folder, model.number), "importance-validation", PermutationImportance)
    assert found is not None and found.to_json() == model.permutation_importance(progress=False).to_json()
    assert found.grid == (7, 7) and found.rows == found.split_rows == study.state.settings.data.validation
    assert found.score == pytest.approx(model.score) and max(part.drop for part in found.parts) > 0.02
    page = report_html(report_context(study, ask=False))
    assert "What matters to it" in page and "each region was covered with the mean pixel" in page


def test_the_worst_answers_are_explained_and_the_explanation_is_cached(study):
    model = study.best()
    analysis = model.analyze_errors(progress=False)
    found = explain_worst(study.client, model.number, analysis)
    assert found.rows == tuple(example.row for example in analysis.worst[:2])
    for example, explained in zip(analysis.worst, found.explanations, strict=False):
        assert explained.prediction == str(example.answer) and explained.answer[explained.main] == pytest.approx(
            example.sure, abs=1e-5
        )
        total = sum(part.contributions[explained.main] for part in explained.parts)
        assert explained.base[explained.main] + total == pytest.approx(explained.answer[explained.main], abs=1e-6)
    assert cached_result(trial_folder(study.folder, model.number), "explained-validation", ExplainedRows) == found


def test_many_examples_are_explained_one_by_one_and_no_evaluations_are_refused(study):
    images, _ = digits()
    model = study.best()
    first, second = model.explain(images[:2], evaluations=400)
    assert first.to_json() == model.explain(images[0], evaluations=400).to_json() != second.to_json()
    with pytest.raises(ConfigError, match="evaluations is 0"):
        model.explain(images[0], evaluations=0)
    columns = {"age": [31, 42], "port": ["C", None]}
    rows = [{"age": 31, "port": "C"}, {"age": 42, "port": None}]
    for table in (columns, pl.DataFrame(columns), pl.DataFrame(columns).to_arrow(), pd.DataFrame(columns)):
        assert [{name: None if cell != cell else cell for name, cell in row.items()} for row in each_of(table)] == rows


def test_test_rows_are_predicted_only_after_evaluate_test(study):
    model = study.best()
    with pytest.raises(StudyError, match="has not been evaluated"):
        model.analyze_errors(split="test", progress=False)
    study.evaluate_test()
    found = model.analyze_errors(split="test", progress=False)
    assert found.scores["accuracy"] == pytest.approx(model.test_scores["accuracy"]) and found.split == "test"


def test_the_report_describes_the_results(study, tmp_path):
    output = lepton("report", "seen", "--out", str(tmp_path / "r.html"), home=study.home.folder)
    page = (tmp_path / "r.html").read_text()
    assert output.strip() == str(tmp_path / "r.html") and page.count("plotly.js v") == 1
    model, text = study.best(), re.sub(r"<[^>]+>", "", page)
    for part in ("3 networks were tried", "Why it predicted so", "blue regions raise", f"trial {model.number}", f"{100 * model.score:.1f} % accuracy", "Its worst predictions",
                 "lepton export seen", "models:/seen@champion", study.state.settings.data.digest, "held-out test split"):  # fmt: skip
        assert part in text, part
    assert study.report.write(progress=False) == study.folder / "report.html"
    with pytest.raises(ValueError, match="Give a file"):
        study.report.write(tmp_path / "none" / "r.html")


def test_the_report_is_an_artifact_of_the_studys_run(study):
    import mlflow

    from lepton_automl.tracking.registry import tracking_uri

    client = mlflow.MlflowClient(tracking_uri(study.home.folder))
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()], "tags.`lepton.study_uid` != ''")
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    there = {one.path for one in client.list_artifacts(parent.info.run_id)}
    assert {"report.html", "plots.html", "permutation_importance.json", "permutation_importance.svg"} <= there
    assert set(pages(study)) == {"report.html", "plots.html"}


def test_a_study_without_a_model_has_a_report_too():
    page = report_html(ReportContext(StudyState(config=config(), started=StudyStarted(at=0.0, config=config()))))
    assert "No model is finished yet" in page and "none has started" in page


def test_a_studys_data_can_be_read_printed_and_in_a_notebook():
    spec = image_spec().replace(notes=("pictures are grey", "<b>note</b>"), warnings=("11 rows twice",), target="\u202e<i>")
    data = DataReport(**vars(spec))
    assert repr(data) == str(data) and "\u202e" not in str(data) and data.train == spec.train
    assert str(data).splitlines()[-3:] == ["inferred: pictures are grey", "inferred: <b>note</b>", "problem: 11 rows twice"]
    assert f"{spec.train:,} training, {spec.validation:,} validation, {spec.test:,} held-out test" in str(data)
    kinds = (("age", "number"), ("fare", "number"), ("port", "category"))
    assert "a table with 2 numeric columns and 1 categorical column" in str(DataReport(**vars(table_spec(columns=kinds))))
    shown = data._repr_html_()
    assert "<b>note" not in shown and "<i>" not in shown and "&lt;b&gt;note" in shown and "11 rows twice" in shown


def test_the_report_names_the_machine_and_the_work_tree():
    def report(**known):
        return report_html(ReportContext(StudyState(config=config(), started=StudyStarted(at=0.0, config=config(), **known))))

    machine = {"name": "<b>box</b>", "system": "Linux-6", "cores": "1", "memory": "3.9 GiB"}
    page = report(machine=machine, git={"commit": "0af3", "branch": "<i>try</i>", "dirty": "true"})
    assert "&lt;b&gt;box&lt;/b&gt;, Linux-6, 1 core, 3.9 GiB of memory" in page
    assert "0af3, branch &lt;i&gt;try&lt;/i&gt;, with uncommitted changes" in page
    clean = report(git={"commit": "0af3", "dirty": "false"})
    assert "0af3</bdi>" in clean and "<dt><bdi>machine" not in clean and "git commit" not in report()


def test_nothing_that_comes_from_data_is_markup(state, examined):
    for page in (
        report_html(ReportContext(state, examined)),
        report_html(ReportContext(state, numbers_examined(), importance=hostile_importance(), explained=hostile_explained())),
        plots_html(state),
    ):
        page.encode()
        assert "<script>alert" not in page and "<img src=http" not in page and "</script><b>" not in page
        seen = re.sub(r"<(script|pre)\b.*?</\1>", "", page, flags=re.DOTALL)  # the settings are in it verbatim, as JSON
        assert not set(seen) & set("\u202e\x00\x07\x1b") and "x" * 500 not in seen


def test_its_public_modules_load_without_torch():
    for module in ("study.report", "study.analyze_errors", "reporting.report", "error_analysis"):
        loaded = python(f"import sys, lepton_automl.{module}; print({{'torch', 'plotly'}} & set(sys.modules))")
        assert loaded.strip() == "set()", module
