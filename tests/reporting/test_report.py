"""The report and its pictures: what they say, that they hold whatever a study is called, and how they look to a browser."""

from __future__ import annotations

import base64
import io
import json
import math
import random
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lepton_automl import AutoML, Budget, StudyError, families
from lepton_automl.data.demo import digits
from lepton_automl.data.glance import picture
from lepton_automl.data.open import open_data
from lepton_automl.data.original import original_rows
from lepton_automl.error_analysis import ClassScore, ErrorAnalysis, Example, calibrated
from lepton_automl.events import KnobsRanked, StudyResumed, StudyStarted, TrialEnded, TrialProposed, TrialReported, TrialThawed
from lepton_automl.jobs import Decision, Report, TrialResult
from lepton_automl.profile import ResourceProfile
from lepton_automl.reporting import error_plots, narrative, plots, speed
from lepton_automl.reporting.about_data import DataReport
from lepton_automl.reporting.context import Told
from lepton_automl.reporting.hypervolume import growth
from lepton_automl.reporting.labels import clean, label, marked
from lepton_automl.reporting.report import plots_html, report_html
from lepton_automl.reporting.theme import even_ticks, linear_ends
from lepton_automl.reporting.timeline import lanes
from lepton_automl.search import importance
from lepton_automl.space import Categorical, Integer, Space
from lepton_automl.specs import Deployment
from lepton_automl.state import StudyState
from lepton_automl.study.report import pages
from lepton_automl.study.result_cache import keep, kept
from lepton_automl.study_store import trial_folder
from lepton_automl.training.findings import calibration, class_scores, confusion
from tests.api.test_import_and_arguments import lepton, python
from tests.samples import (
    config,
    image_spec,
    measured,
    profile,
    table_spec,
    trial_events,
)

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=http://example.com/x onerror=alert(2)>',
    "</script><b>bold</b>",
    "עברית \u202egnp.exe",
    "👩‍👩‍👧 family",
    "nul\x00 bell\x07 esc\x1b[31m line\nbreak",
    "half \ud83d character",
    "x" * 5_000,
    "$\\alpha$ &amp; %{x} {{y}}",
    "",
)


def failing(number: int, status: str, reason: str, epochs: int = 2) -> list[object]:
    proposed, weigh, learnt, _ = trial_events(number, 0.5, 3.0 + number, at=3.0 * number)
    result = TrialResult(trial=number, status=status, reason=reason, epochs=epochs)
    return [proposed, weigh, learnt, TrialEnded(at=3.0 * number + 2.5, result=result)]


@pytest.fixture
def state() -> StudyState:
    """A study with every kind of trial in it, whose classes, knobs and reasons have names from hell."""
    spec = image_spec().replace(classes=HOSTILE, name=HOSTILE[0], target=HOSTILE[1], notes=HOSTILE[:3], warnings=HOSTILE[3:6])
    space = Space(knobs={**families.space_for(spec).knobs, "model.kind": Categorical(*HOSTILE[:3], default=HOSTILE[0])})
    state = StudyState().feed(
        [StudyStarted(at=0.0, config=config(spec, space=space, name="hostile"), versions={"torch": HOSTILE[2]})]
    )
    for number, (score, latency) in enumerate([(0.9, 1.0), (0.97, 2.0), (0.98, 8.0), (0.95, 4.0)]):
        proposed, *others = trial_events(number, score, latency, at=3.0 * number)
        state.feed([proposed.replace(config={**proposed.config, "model.kind": HOSTILE[number % 3]}), *others])
    for number, (status, reason) in enumerate([("stopped", HOSTILE[2]), ("infeasible", HOSTILE[1]), ("failed", HOSTILE[5])], 4):
        state.feed(failing(number, status, reason))
    running = TrialProposed(at=30.0, trial=7, uid="7", config={}, recipe={}, origin="child", parent=1)
    ranked = KnobsRanked(at=31.0, shares={"score": {HOSTILE[0]: 0.7, "model.width": 0.3}}, trials={"score": 9}, ends=7)
    return state.feed([running, ranked])


@pytest.fixture
def examined() -> ErrorAnalysis:
    told = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 1])
    truth = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 7, 0])
    pairs = confusion(told, truth, 10)
    bins, error = calibration(np.linspace(0.5, 1.0, 12), told == truth)
    pixels = picture(np.arange(64, dtype=np.uint8).reshape(1, 8, 8))
    worst = tuple(Example(row=n, truth=HOSTILE[n], answer=HOSTILE[1], loss=2.0, sure=0.9, picture=pixels) for n in (0, 7))
    return ErrorAnalysis(
        trial=1, split="validation", rows=12, task="multiclass", target=HOSTILE[1], scores={"accuracy": 10 / 12}, worst=worst,
        classes=class_scores(pairs, HOSTILE), confusion=pairs, calibration=bins, calibration_error=error,
    )  # fmt: skip


def numbers_examined() -> ErrorAnalysis:
    cells = {HOSTILE[0]: HOSTILE[1], "age": 31.0, "left": None}
    return ErrorAnalysis(
        trial=1, split="validation", rows=2, task="regression", target="price", scores={"rmse": 1.0}, pairs=((1.0, 2.0), (3.0, 2.5)),
        bias=0.25, spread=(0.75, 0.95, 1.0), worst=(Example(row=0, truth=1.0, answer=2.0, loss=1.0, cells=cells),),
    )  # fmt: skip


STATE_FIGURES = [getattr(plots, name) for name in plots.__all__ if name.endswith("_figure") and name != "importance_figure"]


# Pictures


@pytest.mark.parametrize("figure", STATE_FIGURES, ids=lambda figure: figure.__name__)
@pytest.mark.parametrize("theme", ["light", "dark", "neutral"])
def test_a_picture_has_the_same_traces_whatever_the_study_holds(figure, theme, state):
    bare = StudyState(config=config())
    found, empty = figure(state, theme), figure(bare, theme)
    assert [(one.type, one.name) for one in found.data] == [(one.type, one.name) for one in empty.data]
    assert sum(len(one.x) for one in found.data if getattr(one, "x", None) is not None) or found.data[0].dimensions
    assert "<script" not in found.to_json() and "<img" not in found.to_json()  # plotly would read it as markup
    assert found.layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_pictures_of_errors_and_speed_have_their_traces_too(examined, study_state):
    for figure in (error_plots.confusion_figure, error_plots.calibration_figure, error_plots.residuals_figure):
        one, other = figure(examined, "dark"), figure(numbers_examined())
        assert [trace.type for trace in one.data] == [trace.type for trace in other.data]
        assert "<script" not in one.to_json() + other.to_json()
    trial = study_state([(0.9, 1.0)]).trial(0)
    assert [trace.name for trace in speed.variants_figure(trial).data] == ["tried", "chosen"]
    portrait = ResourceProfile(
        size_bytes=1, memory=None, imports=measured(1.0), cold_start=measured(1.0), energy=None,
        batches={1: measured(1.0), 64: measured(8.0)},
    )  # fmt: skip
    assert list(speed.batches_figure(portrait).data[1].y) == [1000, 8000] and len(speed.batches_figure(None).data) == 2


@pytest.mark.parametrize("models", [[(0.9, 1.0)], [(0.9, 0.031), (0.91, 0.0312)], [(0.5, 0.6), (0.9, 4.0), (0.7, 1.1)]])
def test_the_fronts_axes_are_within_reach_of_its_points_and_have_numbers(models, study_state):
    state = study_state(models)
    layout = plots.front_figure(state).layout
    low, high = (10**end for end in layout.xaxis.range)
    assert low < min(ms for _, ms in models) and max(ms for _, ms in models) < high and high / low > 1.99
    assert len(layout.xaxis.tickvals) >= 2 and all(low <= tick <= high for tick in layout.xaxis.tickvals)
    if len(models) == 1:
        assert layout.yaxis.range == pytest.approx((0.855, 0.945))
    else:
        assert layout.yaxis.range is None and layout.yaxis.autorange


@pytest.mark.parametrize(
    ("limit", "text", "anchor", "seen"),
    [(3.0, "limit 3 ms", "left", True), (9.0, "limit 9 ms", "left", True), (200.0, "limit 200 ms ▸", "right", False),
     (0.001, "◂ limit 0.001 ms", "left", False)],
)  # fmt: skip
def test_a_limit_is_in_sight_or_it_is_said_where_it_is(study_state, limit, text, anchor, seen):
    state = study_state([(0.9, 1.0), (0.95, 4.0)], target=Deployment(max_latency_ms=limit))
    layout = plots.front_figure(state).layout
    low, high = layout.xaxis.range
    told = layout.annotations[-1]
    assert (low < math.log10(limit) < high) is seen and layout.shapes[-1].x0 == limit
    assert (told.text, told.xanchor) == (text, anchor) and low <= told.x <= high


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=4))
def test_a_linear_axis_holds_its_values_and_has_ticks(values):
    low, high = linear_ends(values)
    assert low < min(values) and max(values) < high
    assert len(even_ticks(low, high)) >= 2


def test_points_say_which_trial_they_are(state):
    front = plots.front_figure(state)
    by_name = {trace.name: list(trace.customdata) for trace in front.data}
    assert by_name["front"] == [2, 1, 0] and by_name["chosen"] == [narrative.chosen(state).number]
    assert by_name["beaten"] == [3] and by_name["stopped"] == [4] and by_name["infeasible"] == [5]
    curves = plots.curves_figure(state)
    assert {number for trace in curves.data for number in trace.customdata} >= {0, 1, 2, 3, 4}


def test_the_hypervolume_never_falls_and_ends_below_one(study_state):
    state = study_state([(0.5, 1.0), (0.9, 2.0), (0.6, 0.5), (0.4, 9.0), (0.95, 4.0)])
    volumes = [volume for _, volume in growth(state)]
    assert volumes == sorted(volumes) and 0 < volumes[0] < volumes[-1] < 1
    assert volumes[3] == volumes[2]  # a model that is beaten in everything adds nothing


def test_the_time_line_packs_trials_on_as_many_workers_as_ran():
    state = StudyState().feed([StudyStarted(at=0.0, config=config())])
    first, second, third = (trial_events(n, 0.9 + n / 100, 1.0) for n in range(3))
    state.feed([first[0].replace(at=0.0), second[0].replace(at=1.0), first[3].replace(at=5.0), third[0].replace(at=5.0)])
    stopped = TrialResult(trial=1, status="stopped", epochs=1)
    state.feed([TrialEnded(at=6.0, result=stopped), StudyResumed(at=8.0, reason=""), TrialThawed(at=8.0, trial=1, epoch=1)])
    assert [(bar.trial.number, bar.lane, bar.interval.ended) for bar in lanes(state)] == [
        (0, 0, 5.0),
        (1, 1, 6.0),
        (2, 0, None),
        (1, 1, None),
    ]
    thawed = plots.timeline_figure(state).data[-1]
    assert list(thawed.customdata) == [1] and thawed.text[0] == "trial 1 goes on from epoch 1"
    assert [(rest.began, rest.ended) for rest in state.rests] == [(6.0, 8.0)]


@given(st.text(max_size=300))
def test_a_name_on_show_is_one_short_line_without_markup_or_turns(name):
    for shown in (clean(name), label(name)):
        assert "\n" not in shown and not set(shown) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\x00\x1b")
        shown.encode()  # no half characters
    assert len(clean(name)) <= 60 and not re.search(r"[<$]", label(name)) and "<" not in marked(name)[5:-6]


# Importance


def random_study(count: int, cost) -> StudyState:
    """Trials whose latency is a function of their configuration, and whose score is another's."""
    space = Space(
        knobs={
            "model.width": Integer(4, 64, default=8),
            "model.kind": Categorical("a", "b", default="a"),
            "train.lr": Integer(1, 9, default=1),
        }
    )
    state = StudyState().feed([StudyStarted(at=0.0, config=config(space=space))])
    rng = random.Random(0)
    for number in range(count):
        drawn = space.sample(rng)
        score, latency = cost(drawn)
        proposed, _, learnt, ended = trial_events(number, score, latency)
        weigh = TrialReported(at=0.0, report=Report(trial=number, epoch=0, profile=profile(latency)), decision=Decision())
        state.feed([proposed.replace(config=drawn), weigh, learnt, ended])
    return state


def test_the_knob_that_decides_is_found_for_each_objective_on_its_own():
    state = random_study(40, lambda c: (0.5 + 0.4 * (c["train.lr"] > 4), 1.0 + c["model.width"] + 0.1 * c["train.lr"]))
    found = importance.rank(state, 5.0)
    assert found.shares["score"]["train.lr"] > 0.7 and found.shares["latency_ms"]["model.width"] > 0.9
    assert "train.lr" not in found.shares["latency_ms"]  # training does not change what a shape costs
    assert found.trials == {"score": 40, "latency_ms": 40} and found == importance.rank(state, 5.0)
    assert sum(found.shares["latency_ms"].values()) == pytest.approx(1.0)


def test_knobs_are_ranked_when_half_as_many_trials_have_ended_again():
    state = random_study(7, lambda c: (0.5, 1.0 + c["model.width"]))
    assert not importance.due(state) and not importance.rank(state, 0.0).shares
    state = random_study(8, lambda c: (0.5, 1.0 + c["model.width"]))
    assert importance.due(state)
    state.apply(importance.rank(state, 0.0))
    assert list(state.ranked.shares) == ["latency_ms"]  # all scores are equal
    for ends, due in ((11, False), (12, True)):
        state.ends = ends
        assert importance.due(state) is due


# Errors


def test_confusion_and_class_scores_by_hand():
    pairs = confusion(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 2]), 3)
    assert pairs == ((0, 0, 1), (1, 0, 1), (1, 1, 2), (2, 1, 1))
    a, b, c = class_scores(pairs, ("a", "b", "c"))
    assert (a.precision, a.recall) == (0.5, 1.0) and (b.precision, b.recall) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert c == ClassScore(label="c", rows=1, answered=0, right=0) and c.precision is None and c.recall == 0


def test_the_calibration_error_by_hand():
    bins, error = calibration(np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, True, True, False]))
    assert [(one.rows, one.right) for one in bins] == [(2, 0.5), (2, 1.0)]
    assert error == pytest.approx((0.05 * 2 + 0.05 * 2) / 4)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = 400
    frame = pd.DataFrame(
        {
            "age": rng.integers(17, 90, rows),
            "income": rng.lognormal(10, 1, rows).round(2),
            "gap": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(0, 1, rows).round(3)),
            "town": rng.choice(["Aix", "Bonn", "Cork"], rows),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), unit="D"),
        }
    )
    return frame.assign(y=np.where(frame.age + 10 * (frame.town == "Bonn") > 50, "yes", "no"))


def test_rows_come_back_in_the_units_that_they_were_given_in(table, tmp_path):
    data = open_data(table, tmp_path)
    back = original_rows(data, data.train, list(range(100)))
    again = data.preprocess.arrays(back)
    for name, part in again.items():
        assert np.allclose(part, data.train.inputs[name][:100].numpy(), atol=2e-3)
    known = {(row.age, row.town, row.income) for row in table.itertuples()}
    exact = [row for row in back if any(row["age"] == age and row["town"] == town and row["income"] == pytest.approx(income, rel=1e-4)
             for age, town, income in known)]  # fmt: skip
    assert len(exact) == len(back)
    assert any(row["gap"] is None for row in back) and all(re.match(r"202[0-2]-\d\d-\d\d", row["since"]) for row in back)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A real one: three networks on real digits."""
    images, labels = digits()
    study = AutoML(name="seen", budget=Budget(trials=3), home=tmp_path_factory.mktemp("home"), progress=False)
    return study.fit(images[:600], labels[:600], folds=0)


def test_the_chosen_model_is_examined_at_the_end_and_what_was_found_agrees_with_its_score(study):
    model = study.best()
    folder = trial_folder(study.folder, model.number)
    found = kept(folder, "examined-validation", ErrorAnalysis)
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
    assert found.calibrated and found.calibrated in card  # card and report say the same
    validation = open_data(study.state.settings.data).validation.inputs["image"].numpy()
    worst = found.worst[0]
    assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(worst.picture)))) == validation[worst.row, 0]).all()
    assert study.predict(validation[worst.row, 0]) == worst.answer


def answered(rows, off, seed=0):
    """A model's calibration on so many rows, right more seldom than it is sure by `off`."""
    rng = np.random.default_rng(seed)
    sure = rng.beta(8, 2, rows)
    return calibrated(calibration(sure, rng.random(rows) < sure - off)[0], "validation")


@pytest.mark.parametrize(
    ("rows", "off", "told"),
    [
        (36, 0.0, "cannot be told from so few rows"),
        (20_000, 0.0, "can be believed: on 20,000 validation rows"),
        (400, 0.25, "cannot be believed: on 400 validation rows"),
        (20_000, 0.1, "cannot be believed"),
    ],
)
def test_whether_probabilities_can_be_believed_is_said_where_the_rows_carry_it(rows, off, told):
    assert told in answered(rows, off, seed=1)


def test_few_rows_that_are_all_right_do_not_show_that_probabilities_can_be_believed():
    sure = np.full(36, 0.99)
    assert "cannot be told" in calibrated(calibration(sure, np.ones(36, bool))[0], "validation")
    assert "can be believed" in calibrated(calibration(np.full(900, 0.99), np.arange(900) > 8)[0], "validation")
    assert calibrated((), "validation") == ""


def test_right_probabilities_are_seldom_called_wrong_and_wrong_ones_seldom_right():
    right = [answered(200, 0.0, seed) for seed in range(200)]
    assert sum("cannot be believed:" in told for told in right) <= 10
    wrong = [answered(1_000, 0.08, seed) for seed in range(200)]
    assert sum("can be believed:" in told for told in wrong) <= 10


def test_the_test_rows_are_asked_only_once_they_are_open(study):
    model = study.best()
    with pytest.raises(StudyError, match="sealed"):
        model.analyze_errors(split="test", progress=False)
    study.evaluate_test()
    found = model.analyze_errors(split="test", progress=False)
    assert found.scores["accuracy"] == pytest.approx(model.test_scores["accuracy"]) and found.split == "test"


def test_what_was_found_is_forgotten_with_the_artifact(tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "model.onnx").write_bytes(b"one")
    keep(tmp_path, "examined-validation", numbers_examined())
    assert kept(tmp_path, "examined-validation", ErrorAnalysis) == numbers_examined()
    (tmp_path / "bundle" / "model.onnx").write_bytes(b"another")
    assert kept(tmp_path, "examined-validation", ErrorAnalysis) is None


# The page


def test_the_report_says_what_was_found(study, tmp_path):
    told = lepton("report", "seen", "--out", str(tmp_path / "r.html"), home=study.home.folder)
    page = (tmp_path / "r.html").read_text()
    assert told.strip() == str(tmp_path / "r.html") and page.count("plotly.js v") == 1
    model, text = study.best(), re.sub(r"<[^>]+>", "", page)
    for part in ("3 networks were tried", f"trial {model.number}", f"{100 * model.score:.1f} % accuracy", "Its worst examples",
                 "lepton export seen", "models:/seen@champion", study.state.settings.data.digest, "sealed test split, opened once"):  # fmt: skip
        assert part in text, part
    assert study.report.write(progress=False) == study.folder / "report.html"
    with pytest.raises(ValueError, match="Name a file"):
        study.report.write(tmp_path / "none" / "r.html")


def test_the_report_stands_at_the_studys_run(study):
    import mlflow

    from lepton_automl.tracking.registry import tracking_uri

    client = mlflow.MlflowClient(tracking_uri(study.home.folder))
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()], "tags.`lepton.study_uid` != ''")
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    there = {one.path for one in client.list_artifacts(parent.info.run_id)}
    assert {"report.html", "plots.html"} <= there
    assert set(pages(study)) == {"report.html", "plots.html"}


def test_a_study_without_a_model_has_a_report_too():
    page = report_html(Told(StudyState(config=config(), started=StudyStarted(at=0.0, config=config()))))
    assert "No model is ready" in page and "none has begun" in page


def test_a_studys_data_can_be_read_printed_and_in_a_notebook():
    spec = image_spec().replace(notes=("pictures are grey", "<b>note</b>"), warnings=("11 rows twice",), target="\u202e<i>")
    data = DataReport(**vars(spec))
    assert repr(data) == str(data) and "\u202e" not in str(data) and data.train == spec.train
    assert str(data).splitlines()[-3:] == ["inferred: pictures are grey", "inferred: <b>note</b>", "problem: 11 rows twice"]
    assert f"{spec.train:,} rows to learn from, {spec.validation:,} to choose by, {spec.test:,} sealed" in str(data)
    kinds = (("age", "number"), ("fare", "number"), ("port", "category"))
    assert "a table with 2 numeric columns and 1 categorical column" in str(
        DataReport(**vars(table_spec().replace(columns=kinds)))
    )
    shown = data._repr_html_()
    assert "<b>note" not in shown and "<i>" not in shown and "&lt;b&gt;note" in shown and "11 rows twice" in shown


def test_the_report_says_on_what_machine_and_from_what_work_tree_it_was_made():
    def report(**known):
        return report_html(Told(StudyState(config=config(), started=StudyStarted(at=0.0, config=config(), **known))))

    machine = {"name": "<b>box</b>", "system": "Linux-6", "cores": "1", "memory": "3.9 GiB"}
    page = report(machine=machine, git={"commit": "0af3", "branch": "<i>try</i>", "dirty": "true"})
    assert "&lt;b&gt;box&lt;/b&gt;, Linux-6, 1 core, 3.9 GiB of memory" in page
    assert "commit 0af3, branch &lt;i&gt;try&lt;/i&gt;, with changes that were not committed" in page
    clean = report(git={"commit": "0af3", "dirty": "false"})
    assert "commit 0af3</bdi>" in clean and "<dt><bdi>machine" not in clean and "work tree" not in report()


def test_nothing_that_comes_from_data_is_markup(state, examined):
    for page in (report_html(Told(state, examined)), report_html(Told(state, numbers_examined())), plots_html(state)):
        page.encode()
        assert "<script>alert" not in page and "<img src=http" not in page and "</script><b>" not in page
        seen = re.sub(
            r"<(script|pre)\b.*?</\1>", "", page, flags=re.DOTALL
        )  # what was asked stands in it word for word, as JSON
        assert not set(seen) & set("\u202e\x00\x07\x1b") and "x" * 500 not in seen


def test_the_doors_to_it_load_without_torch():
    for module in ("study.report", "study.analyze_errors", "reporting.report", "error_analysis"):
        loaded = python(f"import sys, lepton_automl.{module}; print({{'torch', 'plotly'}} & set(sys.modules))")
        assert loaded.strip() == "set()", module


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("there is no chromium at /usr/bin/chromium")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("what", ["classes", "numbers", "plots"])
def test_a_browser_shows_it_without_complaint_or_network(what, scheme, state, examined, browser, tmp_path):
    found = {"classes": examined, "numbers": numbers_examined()}.get(what)
    path = tmp_path / "page.html"
    path.write_text(plots_html(state) if what == "plots" else report_html(Told(state, found)), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 720}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if "GPU stall" not in message.text else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    drawn = page.locator(".plot .main-svg").first
    drawn.wait_for()
    assert page.locator(".plot").count() == page.locator(".plot:has(.main-svg)").count() >= 7
    assert not said and [url for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing hangs out at the side
    light = page.evaluate("getComputedStyle(document.querySelector('.plot .xtitle')).fill")
    assert light == page.evaluate("getComputedStyle(document.body).color")
    page.close()


def test_a_click_tells_about_that_model_and_so_does_the_keyboard(state, examined, browser, tmp_path):
    path = tmp_path / "page.html"
    state.feed(trial_events(8, 0.98, 8.001, at=40.0))  # beaten, and hidden beneath the first point of the front
    path.write_text(report_html(Told(state, examined)), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(path.as_uri())
    page.locator("#front-plot .main-svg").first.wait_for()
    chosen = narrative.chosen(state).number
    shown = page.locator(".model:visible")
    assert shown.count() == 1 and shown.get_attribute("id") == f"trial-{chosen}"
    page.locator("#front-plot").scroll_into_view_if_needed()
    spot = page.evaluate(
        """() => { const place = document.getElementById("front-plot"), box = place.getBoundingClientRect();
        const {xaxis, yaxis} = place._fullLayout, trace = place.data.find(one => one.name === "front");
        return {x: box.x + xaxis._offset + xaxis.l2p(Math.log10(trace.x[0])), y: box.y + yaxis._offset + yaxis.l2p(trace.y[0])}; }"""
    )
    page.mouse.move(spot["x"], spot["y"])
    page.mouse.click(spot["x"], spot["y"])
    page.locator("#trial-2:visible").wait_for(timeout=5_000)
    assert shown.count() == 1 and page.locator("#pick").input_value() == "2"
    page.locator("#pick").select_option("0")
    assert shown.get_attribute("id") == "trial-0" and "trial-0" in page.locator(".model:visible").get_attribute("id")
    page.close()
