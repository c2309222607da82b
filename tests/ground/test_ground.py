"""The ground: values, recipes, fronts, the journal and the state that it leads to."""

from __future__ import annotations

import json
import pickle
import random
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lepton_automl import AutoML, families, front
from lepton_automl.errors import Complaints, ConfigError, StudyError
from lepton_automl.events import Noted, StudyStarted, event_from_json, event_to_json
from lepton_automl.journal import Journal
from lepton_automl.measurement_lock import MeasurementLock
from lepton_automl.plans import PrunePlan
from lepton_automl.recipe import recipe_from_json
from lepton_automl.specs import Budget, Deployment
from lepton_automl.study_store import StudyStore
from lepton_automl.texts import code_span, markdown
from tests.samples import config, events, image_spec, table_spec

SPECS = [image_spec(8), image_spec(28), image_spec(96, channels=3), table_spec()]


# Values


@pytest.mark.parametrize("event", events(), ids=lambda event: type(event).__name__)
def test_events_and_all_values_inside_survive_json_and_pickle(event):
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event
    assert pickle.loads(pickle.dumps(event)) == event


def test_an_event_of_a_newer_version_is_skipped():
    assert event_from_json({"event": "SomethingNew", "at": 1.0}) is None


def test_every_wrong_field_of_a_deployment_is_reported_in_one_error():
    with pytest.raises(ConfigError) as error:
        Deployment(device="gpu", threads=0, batch_size=True, max_latency_ms=-1)
    for part in ("'gpu'", "Did you mean 'cpu'", "threads", "batch_size", "max_latency_ms"):
        assert part in str(error.value)


@pytest.mark.parametrize("wrong", [{}, {"minutes": 0}, {"trials": -1}, {"epochs": 1.5}, {"minutes": float("nan")}])
def test_a_budget_of_nothing_is_refused(wrong):
    with pytest.raises(ConfigError, match="Budget"):
        Budget(**wrong)


@pytest.mark.parametrize(
    ("name", "number"), [("prune.ratio", 2.0), ("prune.ratio", -1), ("train.lr", -0.1), ("train.label_smoothing", 1.0)]
)
def test_pinned_settings_out_of_range_are_refused(name, number):
    with pytest.raises(ConfigError, match=f"{name.split('.')[1]} is {number}"):
        families.add_hyperparameters(families.space_for(image_spec(8)), image_spec(8), {name: number})


def test_a_cost_needs_a_price_for_the_device():
    with pytest.raises(ConfigError, match="no price for the device 'cpu'"):
        AutoML(budget=Budget(cost=1.0, prices={"cuda": 2.5}))


def test_errors_about_a_configuration_suggest_the_closest_name():
    with pytest.raises(ConfigError, match=r"Did you mean 'model\.width'"):
        families.space_for(image_spec(8)).complete({"model.widht": 8})


def test_one_complaint_reads_as_a_sentence():
    complaints = Complaints("here")
    complaints.add("it is broken", "Mend it.")
    with pytest.raises(ConfigError, match=r"here: it is broken\n  What to do: Mend it\."):
        complaints.raise_any()


# Recipes and families


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.modality}{spec.input_shape}")
@given(seed=st.integers(0, 10_000), ratio=st.floats(0.0, 0.9))
def test_a_scaled_recipe_fits_into_its_parent_and_survives_json(spec, seed, ratio):
    drawn = families.space_for(spec).sample(random.Random(seed))
    recipe = families.draw(families.room(drawn, "model"), spec)
    smaller = recipe.scale(1 - ratio)
    assert recipe.contains(smaller)
    assert all(1 <= width <= recipe.widths[path] for path, width in smaller.widths.items())
    assert recipe_from_json(json.loads(json.dumps(smaller.to_json()))) == smaller
    assert recipe.with_widths(recipe.widths) == recipe


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.modality}{spec.input_shape}")
def test_first_designs_differ_and_lie_in_the_space(spec):
    designs = [families.final_recipe(design, spec, PrunePlan()) for design in families.initial_designs(spec)]
    assert len({json.dumps(design.to_json()) for design in designs}) >= 5
    space = families.space_for(spec)
    assert all(space.complete(design) == design for design in families.initial_designs(spec))


def test_only_a_smaller_recipe_is_contained():
    recipe = families.draw(families.room(families.initial_designs(image_spec(28))[0], "model"), image_spec(28))
    assert not recipe.scale(0.5).contains(recipe)
    assert not recipe.contains(recipe.replace(outputs=7))


# Fronts

COSTS = arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(2, 3)), elements=st.integers(0, 6).map(float))


@given(COSTS)
def test_a_front_is_what_nothing_dominates(costs):
    kept = front.front(costs)
    for row in range(len(costs)):
        beaten = any(front.dominates(costs[other], costs[row]) for other in range(len(costs)))
        equal = any((costs[other] == costs[row]).all() for other in kept)
        assert beaten != equal
    assert len({tuple(costs[row]) for row in kept}) == len(kept)


@given(COSTS)
def test_ranks_peel_fronts_and_hypervolume_counts_boxes(costs):
    ranks = np.array(front.ranks(costs))
    assert [tuple(row) for row in costs[ranks == 0]].count(tuple(costs[front.front(costs)[0]])) >= 1
    for row in range(len(costs)):
        if ranks[row] > 0:
            above = [other for other in range(len(costs)) if ranks[other] == ranks[row] - 1]
            assert any(front.dominates(costs[other], costs[row]) for other in above)
    grid = np.stack(np.meshgrid(*[np.arange(7)] * costs.shape[1], indexing="ij"), -1).reshape(-1, costs.shape[1])
    counted = sum(any((row <= cell).all() for row in costs) for cell in grid)
    assert front.hypervolume(costs, [7.0] * costs.shape[1]) == counted


def test_a_row_with_nan_is_on_no_front():
    assert front.front(np.array([[np.nan, 0.0], [1.0, 1.0]])) == [1]


def test_the_knee_is_where_a_gain_begins_to_cost():
    assert front.knee(np.array([[0.0, 10.0], [1.0, 2.0], [5.0, 1.0], [10.0, 0.0]])) == 1


def test_every_objective_counts_towards_the_knee():
    assert front.knee(np.array([[0.0, 10.0, 9.0], [1.0, 2.0, 10.0], [5.0, 1.0, 0.0], [10.0, 0.0, 1.0]])) == 2
    assert front.knee(np.array([[0.0, 5.0, 9.0], [1.0, 5.0, 1.0], [10.0, 5.0, 0.0]])) == 1  # equal latencies do not count


# Journal and state


def test_an_incomplete_last_line_is_removed_and_the_rest_is_read(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    said = [Noted(at=float(n), text=f"{n} ünïcode") for n in range(3)]
    for event in said:
        journal.append(event)
    whole = journal.path.read_bytes()
    for length in range(len(whole) - 30, len(whole)):
        journal.path.write_bytes(whole[:length])
        assert [event for _, event in journal.read()] == said[:2]
    journal.append(said[2])
    assert journal.path.read_bytes() == whole
    offset = next(iter(journal.read()))[0]
    assert [event for _, event in journal.read(offset)] == said[1:]


def test_a_damaged_line_in_the_middle_is_skipped_and_reported(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    for n in range(3):
        journal.append(Noted(at=float(n), text="well"))
    journal.path.write_bytes(journal.path.read_bytes().replace(b"well", b"evil", 1))
    assert [event.at for _, event in journal.read()] == [1.0, 2.0]
    assert [line.fault for line in journal.lines()] == ["its checksum is wrong", "", ""]


def test_a_journal_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "journal.jsonl").mkdir()
    with pytest.raises(StudyError, match="What to do"):
        Journal(tmp_path / "journal.jsonl").append(Noted(at=0.0, text=""))


def test_the_state_knows_the_front_and_chooses_from_it(study_state):
    state = study_state([(0.90, 1.0), (0.97, 2.0), (0.98, 8.0), (0.95, 4.0)])
    assert [trial.number for trial in state.front()] == [2, 1, 0]
    assert state.choose(knee=True).number == 1 and state.choose().number == 2
    assert state.choose(max_latency_ms=1.5).number == 0
    assert state.choose(max_latency_ms=9).number == 2
    assert state.choose(min_score=0.96).number == 1
    with pytest.raises(ValueError, match="the fastest takes 1 ms"):
        state.choose(max_latency_ms=0.1)


def test_an_empty_state_has_no_model(study_state):
    with pytest.raises(StudyError, match="no model is ready"):
        study_state([]).choose()


def test_a_study_event_keeps_the_whole_configuration():
    started = StudyStarted(at=0.0, config=config())
    again = event_from_json(json.loads(json.dumps(event_to_json(started))))
    assert again == started and again.config.space["model.width"].log


# The store and the measurement lock


def test_a_taken_name_is_refused_with_a_free_one(tmp_path):
    home = StudyStore(tmp_path)
    home.create("digits")
    home.create("digits")  # the first was broken off before it earned anything
    with home.lock("digits"):
        assert home.running("digits")
        with pytest.raises(StudyError, match="digits-2"):
            home.create("digits")
    (home.path("digits") / "journal.jsonl").touch()
    assert not home.running("digits")
    with pytest.raises(StudyError, match="digits-2"):
        home.create("digits")
    with pytest.raises(ConfigError, match="cannot be a study's name"):
        home.create("../evil")
    with pytest.raises(StudyError, match="Did you mean 'digits'"):
        home.journal("digit")


def test_a_held_measurement_lock_blocks_others(tmp_path):
    path = str(tmp_path / "gate")
    waited = []

    def other():
        measurement_lock = MeasurementLock(path)
        began = time.monotonic()
        measurement_lock.wait()
        waited.append(time.monotonic() - began)

    with MeasurementLock(path).held():
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.2)
    thread.join()
    other()
    assert waited[0] > 0.15 > 0.05 > waited[1]


HOSTILE = (
    "<script>alert(1)</script>",
    "[a](javascript:alert(1))",
    "![x](http://x)",
    "a|b",
    "`x``",
    "a\n# head",
    "<b>*x*</b>",
    "- x",
    "1. x",
    "__a__",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_data_is_escaped_in_markdown(text):
    """Parsed as Markdown, the result is the text itself, without markup."""
    markdown_it = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    parser = markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table")
    for escape, usual in ((markdown, {"text", "text_special"}), (code_span, {"code_inline"})):
        tokens = parser.parse(escape(text))
        assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
        assert {child.type for child in tokens[1].children} <= usual
        shown = "".join(child.content for child in tokens[1].children).replace("\uff5c", "|")
        assert shown == " ".join(text.split())
        row = parser.parse(f"| a | b |\n|---|---|\n| {escape(text)} | 1 |")
        assert sum(token.type == "td_open" for token in row) == 2
