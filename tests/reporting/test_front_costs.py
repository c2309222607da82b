"""What a study with further objectives shows of them: axes, colours, columns, cards, words, and the choice of a model."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lepton_automl.errors import ConfigError, LimitError
from lepton_automl.events import StudyStarted
from lepton_automl.objective import Objective, known_costs
from lepton_automl.reporting import narrative, plots
from lepton_automl.reporting.cost_axes import colour_axis, front_axis
from lepton_automl.reporting.models import cards
from lepton_automl.reporting.terminal import front_table
from lepton_automl.state import StudyState
from tests.samples import config, trial_events

SCORE, LATENCY, MEMORY = (
    Objective(name="score", direction="maximize"),
    *(known_costs()[n] for n in ("latency_ms", "memory_bytes")),
)
OPERATORS = Objective(name="operators", direction="minimize", unit="operators", scale="linear")
MODELS = [(0.99, 4.0, 9e6, 12.0), (0.97, 2.0, 3e6, 9.0), (0.95, 1.0, 5e6, 6.0), (0.90, 3.0, 1e6, 3.0)]


def study(*objectives: Objective, models: Sequence[tuple[float, ...]] = MODELS) -> StudyState:
    """A study of some models: score, latency, memory and operators of each."""
    events: list[object] = [StudyStarted(at=0.0, config=config(objectives=objectives))]
    for number, (score, latency, memory, operators) in enumerate(models):
        proposed, *reports, ended = trial_events(number, score, latency, at=10.0 * number)
        costs = {"memory_bytes": memory, "operators": operators}
        result = ended.result.replace(profile=ended.result.profile.replace(costs=costs))
        events += [proposed, *reports, ended.replace(result=result)]
    return StudyState().feed(events)


def named(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def test_a_third_objective_colours_the_points_and_no_line_joins_them():
    state = study(SCORE, LATENCY, MEMORY)
    figure = plots.front_figure(state)
    front = named(figure, "front")
    assert list(front.x) == [4.0, 2.0, 1.0, 3.0] and list(front.marker.color) == [9000.0, 3000.0, 5000.0, 1000.0]
    assert front.marker.colorbar.title.text == "peak memory, kB" and "peak memory 9,000.0 kB" in front.text[0]
    assert named(figure, "path").mode == "markers"
    assert named(plots.front_figure(study(SCORE, LATENCY)), "path").mode == "lines+markers"


def test_where_latency_is_no_objective_the_front_stands_against_the_cost_that_is():
    state = study(SCORE, OPERATORS)
    figure = plots.front_figure(state)
    assert list(named(figure, "front").x) == [12.0, 9.0, 6.0, 3.0] and figure.layout.xaxis.type != "log"
    assert figure.layout.xaxis.title.text == "operators (lower is better)" and named(figure, "front").error_x.array is None
    assert (front_axis(state).name, colour_axis(state).name) == ("operators", "size_bytes")
    size = study(SCORE, known_costs()["size_bytes"])
    assert (front_axis(size).title, colour_axis(size).name) == ("size, kB", "latency_ms")


def test_tables_cards_and_words_have_every_objective():
    state = study(SCORE, LATENCY, MEMORY, OPERATORS)
    heads = [column.header for column in front_table(state).columns]
    assert heads[2:6] == ["latency ms", "size kB", "peak memory kB", "operators"]
    assert [next(iter(column.cells)) for column in front_table(state).columns[4:6]] == ["9,000.0", "12"]
    assert "peak memory" in cards(state) and "3,000.0 kB" in cards(state)
    assert [axis.label for axis in plots.parallel_figure(state).data[0].dimensions][-3:-1] == ["peak memory, kB", "operators"]
    assert "its peak memory" in " ".join(narrative.summary(state))
    assert any("saves 10 % of the time" in sentence for sentence in narrative.why(state))


def test_of_two_models_the_knee_is_the_one_that_is_better_by_the_first_cost():
    two = [(0.97, 2.0, 3e6, 3.0), (0.98, 1.0, 3e6, 9.0)]
    state = study(SCORE, OPERATORS, models=two)
    assert state.choose(knee=True).number == 0 and study(SCORE, LATENCY, models=two).choose(knee=True).number == 1
    assert state.choose().number == 1
    assert "A cheaper model is chosen in its place" in " ".join(narrative.why(state))


def test_a_model_is_chosen_within_limits_on_any_objective():
    state = study(SCORE, LATENCY, MEMORY)
    assert state.choose(limits={"memory_bytes": 5e6}).number == 1
    assert state.choose(limits={"memory_bytes": 5e6}, max_latency_ms=1.5).number == 2
    assert state.choose(limits={"memory_bytes": 4e6, "latency_ms": 2.5}, min_score=0.9).number == 1
    with pytest.raises(LimitError, match=r"peak memory <= 1000 bytes.*the least peak memory is 1000000 bytes"):
        state.choose(limits={"memory_bytes": 1000})
    with pytest.raises(ConfigError, match="'energy_mj' is not a cost that this study measured"):
        state.choose(limits={"energy_mj": 1.0})
    with pytest.raises(ConfigError, match="the limit on latency_ms is '1'"):
        state.choose(limits={"latency_ms": "1"})
