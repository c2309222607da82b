"""Scores on bootstrap resamples: shared by all models of the data, paired, and with an interval for every score."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from lepton_automl.metric import RankedScore, SummedScore, draws, mean_score
from lepton_automl.objective import CustomMetric
from lepton_automl.ranked import areas_under_roc, average_precisions
from lepton_automl.resampled import ResampledScores, paired_error, quantile
from lepton_automl.tasks.classification import MulticlassOutput
from lepton_automl.training import resampled
from lepton_automl.training.resampled import resampled_scores, score_intervals
from lepton_automl.training.scores import scorers_of, scores
from tests import samples

RNG = np.random.default_rng(0)
SPEC = samples.table_spec(output=MulticlassOutput(labels=("a", "b", "c")))


def answered(targets, share_right, classes=3, seed=0):
    """Probabilities whose largest one is right in a share of the rows."""
    rng = np.random.default_rng(seed)
    chosen = np.where(rng.random(len(targets)) < share_right, targets, rng.integers(classes, size=len(targets)))
    return (0.8 * np.eye(classes)[chosen] + 0.2 * rng.dirichlet(np.ones(classes), len(targets))).astype(np.float32)


def scored(answers, targets, metric="accuracy", spec=SPEC):
    return resampled_scores(scores(answers, targets, spec), answers, targets, spec, metric=metric)


def two_classes_only(truth, answers):
    """Fails where a class is missing."""
    if len(set(truth)) < 3:
        raise ValueError("a class is missing")
    return float((truth == answers).mean())


def test_models_of_the_same_data_share_their_resamples():
    targets = RNG.integers(3, size=400)
    first, second = answered(targets, 0.8, seed=1), answered(targets, 0.8, seed=1)
    second[:12] = np.eye(3)[(targets[:12] + 1) % 3]  # the same but for a few rows
    one, two = scored(first, targets), scored(second, targets)
    assert ResampledScores.from_json(json.loads(json.dumps(one.to_json()))) == one
    assert len(one.drawn) == len(one.left_out) == 200 and paired_error(one.in_bag, one.in_bag) == 0.0
    differ = (first.argmax(1) == targets).astype(float) - (second.argmax(1) == targets)
    assert paired_error(one.in_bag, two.in_bag) == pytest.approx(differ.std() / math.sqrt(len(targets)), rel=0.2)
    alone = math.hypot(np.std(one.drawn), np.std(two.drawn))
    assert paired_error(one.in_bag, two.in_bag) < 0.5 * alone
    assert paired_error(one.in_bag, "") == 0.0


def test_the_rows_that_a_resample_leaves_out_are_scored_apart():
    targets = RNG.integers(3, size=150)
    answers = answered(targets, 0.7)
    right, seed = answers.argmax(1) == targets, resampled._Rows(answers, targets, 5)
    (inside, outside), whole = resampled._summed(seed, mean_score(lambda a, t: a.argmax(1) == t))
    drawn = next(draws(150, 200, 5))
    assert inside[0] == pytest.approx(right[drawn].mean()) and whole == right.mean()
    assert outside[0] == pytest.approx(np.delete(right, np.unique(drawn)).mean())


@pytest.mark.parametrize("rows", [1, 2, 49, 700])
def test_every_score_has_an_interval_where_it_is_defined(rows):
    targets = np.arange(rows) % 3
    answers = answered(targets, 0.8)
    values = scores(answers, targets, SPEC)
    intervals = scored(answers, targets).intervals
    assert set(intervals) <= set(values) and intervals.keys() >= {"accuracy"}
    for name, (low, high) in intervals.items():
        assert low <= values[name] <= high or low == pytest.approx(values[name], abs=1e-4)
    if rows == 49:
        assert intervals["accuracy"][1] - intervals["accuracy"][0] > 0.18
        assert score_intervals(values, answers, targets, SPEC)["accuracy"] == pytest.approx(intervals["accuracy"], abs=1e-4)
    if rows == 700:
        assert intervals.keys() == values.keys()


def test_a_perfect_score_of_few_rows_is_not_certain():
    targets = np.arange(49) % 3
    for name, (low, high) in scored(np.eye(3, dtype=np.float32)[targets], targets).intervals.items():
        assert (low < 0.95 and high == 1.0) or name == "log_loss"


def test_of_many_rows_a_part_is_resampled_and_the_error_is_that_of_all(monkeypatch):
    targets = RNG.integers(3, size=4000)
    answers = answered(targets, 0.7)
    whole = {name: scored(answers, targets, name) for name in ("accuracy", "auroc")}
    monkeypatch.setattr(resampled, "SUMMED_ROWS", 400)
    monkeypatch.setattr(resampled, "RANKED_ROWS", 400)
    for name, known in whole.items():
        part = scored(answers, targets, name)
        assert np.std(part.drawn) == pytest.approx(np.std(known.drawn), rel=0.25)
        assert np.mean(part.drawn) == pytest.approx(scores(answers, targets, SPEC)[name], abs=3 * np.std(known.drawn))


def test_ranking_scores_of_all_resamples_at_once_are_those_of_each():
    from sklearn.metrics import average_precision_score, roc_auc_score

    answers, positive = RNG.integers(12, size=60) / 12, RNG.random(60) < 0.4
    drawn = list(draws(60, 20, 1))
    counts = np.stack([np.bincount(rows, minlength=60) for rows in drawn])
    expected = [roc_auc_score(positive[rows], answers[rows]) for rows in drawn]
    assert areas_under_roc(answers, positive, counts) == pytest.approx(expected)
    expected = [average_precision_score(positive[rows], answers[rows]) for rows in drawn]
    assert average_precisions(answers, positive, counts) == pytest.approx(expected)
    assert np.isnan(areas_under_roc(answers, np.ones(60), counts)).all()
    assert np.isnan(average_precisions(answers, np.zeros(60), counts)).all()
    targets = RNG.integers(3, size=80)
    scorer = scorers_of(SPEC)["auroc"]
    assert isinstance(scorer, RankedScore) and scorer.of_counts is not None
    ones, probabilities = np.ones((1, 80)), answered(targets, 0.6)
    assert scorer.of_counts(probabilities, targets, ones)[0] == pytest.approx(scorer.value(probabilities, targets), abs=1e-6)


def test_a_users_metric_may_fail_on_some_resamples_and_be_slow(monkeypatch):
    spec = SPEC.replace(metric=CustomMetric.of(two_classes_only))
    targets = np.array([0, 1, 2, 0, 1, 0])
    answers = answered(targets, 1.0)
    own = scored(answers, targets, "two_classes_only", spec)
    assert (
        len(own.drawn) == 200 and 0 < np.isnan(own.drawn).sum() < 200 and np.isfinite(own.intervals["two_classes_only"]).all()
    )
    monkeypatch.setattr(resampled, "SECONDS", 0.0)
    assert len(scored(answers, targets, "two_classes_only", spec).drawn) == resampled.FEWEST


def test_sums_are_counted_in_parts(monkeypatch):
    targets = RNG.integers(3, size=300)
    answers = answered(targets, 0.7)
    whole = scored(answers, targets, "f1")
    monkeypatch.setattr(resampled, "CHUNK", 4000)
    again = scored(answers, targets, "f1")
    assert again.in_bag == whole.in_bag and again.out_of_bag == whole.out_of_bag
    assert isinstance(scorers_of(SPEC)["f1"], SummedScore)


def test_quantiles_leave_out_what_is_undefined():
    assert quantile([3.0, math.nan, 1.0, 2.0], 0.5) == 2.0 and quantile([1.0, 2.0], 0.25) == 1.25
    assert math.isnan(quantile([math.nan], 0.5))
