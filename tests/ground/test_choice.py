"""The front lists what differs credibly, the default choice is as good as the best one, and its score is corrected."""

from __future__ import annotations

import numpy as np
import pytest

from lepton_automl.choice import Candidate, as_good_as_best
from lepton_automl.corrected import corrected, corrected_score
from lepton_automl.credible import merge
from lepton_automl.events import StudyEnded, StudyStarted, TestOpened
from lepton_automl.objective import Objective, known_costs
from lepton_automl.reporting import narrative
from lepton_automl.reporting.plots import front_figure, front_html
from lepton_automl.reporting.tables import front_columns, front_json, front_table, merged_columns, merged_table, trial_table
from lepton_automl.reporting.terminal import front_table as terminal_table
from lepton_automl.resampled import ResampledScores
from lepton_automl.state import StudyState
from tests import samples

ROWS, DRAWS = 400, np.random.default_rng(5).integers(400, size=(200, 400))


def resampled(right):
    """Accuracy on resamples of rows that are answered right or wrong."""
    drawn = [right[rows].mean() for rows in DRAWS]
    left_out = [np.delete(right, np.unique(rows)).mean() for rows in DRAWS]
    return ResampledScores.of(drawn, left_out, {"accuracy": (right.mean() - 0.02, right.mean() + 0.02)})


def answers(wrong):
    """Which rows are answered right: not those in some ranges."""
    right = np.ones(ROWS)
    for low, high in wrong:
        right[low:high] = 0
    return right


def study(models, **settings):
    """A study of models: the ranges of their wrong rows, and their latencies."""
    state = StudyState().feed([StudyStarted(at=0.0, config=samples.config(**settings))])
    for number, (wrong, latency) in enumerate(models):
        right = answers(wrong)
        *events, ended = samples.trial_events(number, float(right.mean()), latency, at=10.0 * number)
        state.feed([*events, ended.replace(result=ended.result.replace(resampled=resampled(right)))])
    return state


def numbers(trials):
    return [trial.number for trial in trials]


def test_scores_within_an_error_and_latencies_within_three_per_cent_are_merged():
    # 1 is right in one row more than 0 and in two rows less than 2; 3 is credibly worse and credibly faster; 4 is 2 % faster.
    state = study([([(0, 11)], 1.0), ([(2, 12)], 2.0), ([(2, 10)], 4.0), ([(0, 40)], 0.5), ([(0, 41)], 0.49)])
    assert numbers(state.front(merged=True)) == [2, 1, 0, 3, 4]
    assert state.choose().number == 2  # 0.5 points ahead of the next one: more than 0.3
    assert numbers(state.front()) == [2, 0, 3] and state.merged == {1: 0, 4: 3}
    table = merged_table(state)
    assert [(row["trial"], row["into"]) for row in table] == [(1, 0), (4, 3)] and set(table[0]) == set(merged_columns(state))
    assert table[0]["score_difference"] == pytest.approx(1 / ROWS) and table[0]["standard_error"] > 1 / ROWS
    assert table[0]["latency_ratio"] == 2.0
    assert "1 (as 0)" in list(terminal_table(state, merged=True).columns[0].cells)


def test_the_default_choice_is_as_good_as_the_best_one():
    close = [([(0, 10)], 4.0), ([(1, 12)], 1.0), ([(0, 30)], 0.5)]  # 1: one row behind, in three others
    assert study(close).choose().number == 1
    assert study([([(0, 10)], 4.0), ([(0, 11)], 1.0)]).choose().number == 1  # one row behind: an error of one row
    assert study([([(0, 10)], 1.05), ([(1, 12)], 1.0)]).choose().number == 0  # saves less than 10 %
    assert study([([(0, 10)], 4.0), ([(10, 22)], 1.0)]).choose().number == 0  # half a point behind, within an error
    assert study(close).choose(max_latency_ms=9.0).number == 0  # a wish goes first
    assert study(close).choose(min_score=0.9).number == 2


def test_of_errors_half_a_per_cent_may_be_given_up_and_without_resamples_nothing():
    drawn = " ".join(f"{40 + n % 7}" for n in range(200))
    worse = " ".join(f"{40 + (n + 3) % 7}" for n in range(200))
    models = [
        Candidate(0, 40.0, 4.0, drawn, drawn),
        Candidate(1, 40.15, 1.0, worse, worse),
        Candidate(2, 40.3, 0.5, worse, worse),
    ]
    assert as_good_as_best(models, "minimize").number == 1
    assert as_good_as_best([Candidate(0, 40.0, 4.0), Candidate(1, 40.001, 1.0)], "minimize").number == 0
    equal = [Candidate(0, 0.9, 4.0), Candidate(1, 0.9, 1.0)]
    assert as_good_as_best(equal, "maximize").number == 1
    assert as_good_as_best([Candidate(0, 0.9, 0.0), Candidate(1, 0.8, 0.0)], "maximize").number == 0  # no cost


def test_the_chosen_model_is_always_listed_and_stays_when_the_study_has_ended():
    models = [([(0, 20)], 4.0), ([(1, 22)], 2.0), ([(2, 24)], 1.0)]
    state = study(models)
    assert state.choose().number == 1 and 1 in numbers(state.front())
    state.feed([StudyEnded(at=99.0, reason="done", chosen=0)])
    assert 0 in numbers(state.front())


def test_a_chain_of_small_differences_removes_nothing_that_differs():
    class Model:
        def __init__(self, number, at):
            self.number, self.at = number, at

    chain = [Model(n, at) for n, at in enumerate((0.0, 0.8, 1.6, 2.4))]  # better is lower; faster is higher

    def better(a, b):
        return b.at - a.at > 1 or a.at - b.at > 0.1

    listed, merged = merge(chain, better)
    assert numbers(listed) == [1, 3] and merged == {2: 3, 0: 1}
    assert numbers(merge(chain, better, chain[0])[0]) == [0, 1, 3]  # the first is listed in any case
    assert merge([], lambda a, b: True) == ([], {})


def test_a_busy_machine_widens_the_margin_of_the_latency():
    def wide(state, number):
        events = samples.trial_events(number, 0.9 - 0.1 * number, 1.0 - 0.1 * number)
        latency = samples.measured(1.0 - 0.1 * number).replace(low=0.8 - 0.1 * number, high=1.25 - 0.1 * number)
        profile = samples.profile(1.0 - 0.1 * number).replace(latency=latency)
        return [*events[:-1], events[-1].replace(result=events[-1].result.replace(profile=profile))]

    state = StudyState().feed([StudyStarted(at=0.0, config=samples.config())])
    state.feed([*wide(state, 0), *wide(state, 1)])
    assert numbers(state.front(merged=True)) == [0, 1] and numbers(state.front()) == [0]


def test_other_costs_have_a_margin_as_well():
    goals = (Objective(name="score", direction="maximize"), known_costs()["size_bytes"])
    state = StudyState().feed([StudyStarted(at=0.0, config=samples.config(objectives=goals))])
    for number, (score, size) in enumerate([(0.9, 1000), (0.8, 980), (0.7, 900)]):
        *events, ended = samples.trial_events(number, score, 1.0)
        profile = samples.profile(1.0, size)
        state.feed([*events, ended.replace(result=ended.result.replace(profile=profile))])
    assert numbers(state.front()) == [0, 2] and state.merged == {1: 0}


def test_the_corrected_score_of_the_best_of_many_is_not_the_luckiest_one():
    rng = np.random.default_rng(0)
    covered, raw, fixed = 0, [], []
    for _ in range(20):  # 30 models that guess: the best of them is lucky
        models = []
        for number in range(30):
            right = (rng.random(ROWS) < 0.5).astype(float)
            bags = resampled(right)
            models.append(Candidate(number, float(right.mean()), 1.0, bags.in_bag, bags.out_of_bag))
        known = corrected(tuple(models), "maximize")
        covered += known.low <= 0.5 <= known.high
        raw.append(max(model.score for model in models))
        fixed.append(known.score)
    assert covered >= 19 and np.mean(raw) > 0.54 and np.mean(fixed) == pytest.approx(0.5, abs=0.015)
    assert known.models == 30 and 0 < known.kept < 1 and corrected((), "maximize") is None


def test_views_have_intervals_and_the_corrected_score():
    state = study([([(0, 10)], 4.0), ([(1, 12)], 1.0), ([(0, 30)], 0.5)])
    row = front_table(state)[0]
    assert set(row) == set(front_columns(state)) and (row["accuracy_low"], row["accuracy_high"]) == pytest.approx(
        (0.9525, 0.9925)
    )
    assert trial_table(state)[0]["accuracy_low"] == pytest.approx(0.955)
    known = corrected_score(state)
    assert front_json(state)["corrected"]["score"] == known.score and known.low <= known.score <= known.high
    sentences = " ".join([*narrative.why(state), *narrative.score_uncertainty(state)])
    assert "trial 0 is ahead by 0.25 points" in sentences and "among 3 models" in sentences and "(95 % interval)" in sentences
    figure = front_figure(state)
    trace = next(trace for trace in figure.data if trace.name == "front")
    assert list(trace.error_y.array) == pytest.approx([0.02] * len(trace.y)) and "merged into trial 1" in front_html(state)
    state.feed([StudyEnded(at=99.0, reason="done", chosen=1)])
    tested = TestOpened(at=100.0, scores={1: {"accuracy": 0.9}}, intervals={1: {"accuracy": (0.77, 1.0)}})
    state.feed([tested])
    assert front_table(state)[0]["test_accuracy_low"] == 0.77
    assert "(95 % interval 77.0 to 100.0 %, ±12 points)" in narrative.test_result(state)
    assert "0.9000 (0.77 to 1)" in list(terminal_table(state).columns[2].cells)
