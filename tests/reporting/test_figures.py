"""Figures: the same traces whatever a study holds, axes within reach, short names without markup."""

from __future__ import annotations

import itertools
import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lepton_automl.events import ReferencesScored, StudyResumed, StudyStarted, TrialEnded, TrialResumed
from lepton_automl.jobs import TrialResult
from lepton_automl.profile import ResourceProfile
from lepton_automl.reference_scores import Reference, ReferenceScores
from lepton_automl.reporting import error_plots, narrative, plots, speed
from lepton_automl.reporting.hypervolume import growth
from lepton_automl.reporting.labels import clean, html_text, label
from lepton_automl.reporting.reference_lines import HIGH, SHORTEST, place_names
from lepton_automl.reporting.side_by_side import fronts
from lepton_automl.reporting.theme import even_ticks, linear_ends
from lepton_automl.reporting.timeline import lanes
from lepton_automl.specs import Deployment
from lepton_automl.state import StudyState
from tests.samples import (
    config,
    measured,
    trial_events,
)

from .hostile_study import numbers_examined

OTHERS = {"importance_figure", "slice_figure"}  # of a ranking; of chosen hyperparameters
STATE_FIGURES = [getattr(plots, name) for name in plots.__all__ if name.endswith("_figure") and name not in OTHERS]


@pytest.mark.parametrize("figure", STATE_FIGURES, ids=lambda figure: figure.__name__)
@pytest.mark.parametrize("theme", ["light", "dark", "neutral"])
def test_a_figure_has_the_same_traces_for_any_study(figure, theme, state):
    bare = StudyState(config=config())
    found, empty = figure(state, theme), figure(bare, theme)
    assert [(one.type, one.name) for one in found.data] == [(one.type, one.name) for one in empty.data]
    assert sum(len(one.x) for one in found.data if getattr(one, "x", None) is not None) or found.data[0].dimensions
    assert "<script" not in found.to_json() and "<img" not in found.to_json()  # plotly would read it as markup
    assert found.layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_figures_of_errors_and_speed_have_fixed_traces_too(examined, study_state):
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
    layout = plots.front_figure(study_state(models)).layout
    for axis, values in ((layout.xaxis, [ms for _, ms in models]), (layout.yaxis, [1 - score for score, _ in models])):
        low, high = (10**end for end in axis.range)
        assert low < min(values) and max(values) < high and high / low > 1.99
        assert sum(low <= tick <= high for tick in axis.tickvals) >= 2 and len(axis.tickvals) == len(axis.ticktext)
    micro = max(ms for _, ms in models) < 0.5
    assert layout.xaxis.title.text == f"latency, {'µs' if micro else 'ms'} per call"
    assert layout.yaxis.title.text == "error: 1 − accuracy (lower is better)" and "20 %" in layout.yaxis.ticktext


def test_the_picture_is_zoomed_to_the_front_and_marks_what_networks_are_compared_with(study_state):
    state = study_state([(0.98, 1.0), (0.97, 0.5), (0.2, 40.0)])
    scored = [Reference(name="constant", scores={"accuracy": 0.1}), Reference(name="boosted_trees", scores={"accuracy": 0.985})]
    state.feed([ReferencesScored(at=99.0, result=ReferenceScores(references=tuple(scored)))])
    figure = plots.front_figure(state)
    for axis, far in ((figure.layout.xaxis, 40.0), (figure.layout.yaxis, 0.8)):
        assert 10 ** axis.range[1] < far < axis.tickvals[-1] * 10  # panning finds ticks there
    lines = {trace.name: list(trace.y) for trace in figure.data if trace.mode == "lines"}
    assert lines["boosted trees"] == pytest.approx([0.015] * 2) and lines["constant answer"] == pytest.approx([0.9] * 2)
    told = [annotation.text for annotation in figure.layout.annotations]
    assert told == ["▴ constant answer 90 %", "boosted trees 1.5 %"]
    perfect = plots.front_figure(study_state([(1.0, 1.0), (0.99, 0.5)]))
    low, high = (10**end for end in perfect.layout.yaxis.range)
    assert perfect.layout.yaxis.ticktext[0] == "0 %"
    assert all(low < y < high for y in perfect.data[4].y)  # no error at all has no logarithm


@example([1.0, 1.0, 0.9216298344879186], 180.0, 0.0)
@given(
    st.lists(st.floats(-1, 2), min_size=1, max_size=3), st.floats(SHORTEST, 800), st.sampled_from([0.0, HIGH])
)  # fmt: skip
def test_names_of_lines_never_overlap_in_a_plot_of_any_height(heights, pixels, reserved):
    heights = sorted(heights, reverse=True)
    upper = [
        pixels * min(1.0, max(0.0, height)) + top for height, top in zip(heights, place_names(heights, reserved), strict=True)
    ]
    assert upper[0] <= pixels - reserved + 1e-6 and upper[-1] - HIGH >= -1e-6
    assert all(one - HIGH >= other - 1e-6 for one, other in itertools.pairwise(upper))


def test_a_name_is_beside_its_line(study_state):
    assert place_names([0.7, 0.3]) == [HIGH, HIGH]  # above both lines
    assert place_names([0.5, 0.49])[0] == HIGH and -HIGH < place_names([0.5, 0.49])[1] <= 0  # the lower one below its line
    assert place_names([0.99]) == [0.0]  # below it at the upper edge
    one, other = (study_state(models) for models in ([(0.9, 1.0)], [(0.6, 1.0)]))
    scored = ReferenceScores(references=(Reference(name="constant", scores={"accuracy": 0.45}),))
    told = []
    for state in (one, other):
        state.feed([ReferencesScored(at=99.0, result=scored)])
        told.append(plots.front_figure(state).layout.annotations[-1].text)
    assert told == ["▴ constant answer 55 %", "constant answer 55 %"]
    assert [figure.layout.annotations[-1].text for figure in fronts(one, other)] == told[1:] * 2  # which share their axis


def test_a_larger_model_has_a_larger_marker(study_state):
    state = study_state([(0.98, 1.0), (0.97, 0.5)])
    trial = state.trials[0]
    trial.result = trial.result.replace(profile=trial.profile.replace(size_bytes=50 * trial.profile.size_bytes))
    large, small = plots.front_figure(state).data[4].marker.size
    assert large > 2 * small


@pytest.mark.parametrize(
    ("limit", "text", "anchor", "seen"),
    [(0.5, "limit 500 µs", "left", True), (9.0, "limit 9 ms", "right", True), (200.0, "limit 200 ms ▸", "right", False),
     (0.001, "◂ limit 1 µs", "left", False)],
)  # fmt: skip
def test_a_limit_is_in_view_or_its_position_is_noted(study_state, limit, text, anchor, seen):
    state = study_state([(0.9, 1.0), (0.95, 4.0)], deployment=Deployment(max_latency_ms=limit))
    layout = plots.front_figure(state).layout
    low, high = layout.xaxis.range
    (told,) = layout.annotations
    assert (low < math.log10(limit) < high) is seen and layout.shapes[-1].x0 == limit
    assert (told.text, told.xanchor) == (text, anchor) and low <= told.x <= high


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=4))
def test_a_linear_axis_includes_its_values_and_has_ticks(values):
    low, high = linear_ends(values)
    assert low < min(values) and max(values) < high
    assert len(even_ticks(low, high)) >= 2


def test_points_are_labelled_with_their_trial(state):
    front = plots.front_figure(state)
    by_name = {trace.name: list(trace.customdata) for trace in front.data if trace.mode != "lines"}
    assert by_name["front"] == [2, 1, 0] and by_name["chosen"] == [narrative.chosen_model(state).number]
    assert by_name["dominated"] == [3] and by_name["stopped"] == [4] and by_name["infeasible"] == [5]
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
    state.feed([TrialEnded(at=6.0, result=stopped), StudyResumed(at=8.0, reason=""), TrialResumed(at=8.0, trial=1, epoch=1)])
    assert [(bar.trial.number, bar.lane, bar.interval.ended) for bar in lanes(state)] == [
        (0, 0, 5.0),
        (1, 1, 6.0),
        (2, 0, None),
        (1, 1, None),
    ]
    thawed = plots.timeline_figure(state).data[-1]
    assert list(thawed.customdata) == [1] and thawed.text[0] == "trial 1 resumed from epoch 1"
    assert [(rest.began, rest.ended) for rest in state.rests] == [(6.0, 8.0)]


@given(st.text(max_size=300))
def test_a_displayed_name_is_one_short_line_without_markup_or_bidi_marks(name):
    for shown in (clean(name), label(name)):
        assert "\n" not in shown and not set(shown) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\x00\x1b")
        shown.encode()  # no half characters
    assert len(clean(name)) <= 60 and not re.search(r"[<$]", label(name)) and "<" not in html_text(name)[5:-6]
