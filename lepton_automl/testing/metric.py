"""The contract of scorers. That of tasks checks theirs; the test of a single scorer inherits `ScorerContract`."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lepton_automl.arrays import Array
from lepton_automl.metric import RankedScore, Scorer, SummedScore, draws, score_difference, score_interval

CLOSE = 1e-6  # tolerance for another order of the rows
NEAR = 1e-5  # for a score that is computed in another way
FEW = 5  # resamples


class ScorerContract:
    """The contract as pytest tests: a subclass provides `scorer` and `sample`."""

    scorer: Scorer

    def sample(self) -> tuple[Array, Array, Array]:
        """Answers of one model, of another, and targets, [N, ...] each; 20 rows or more, both models partly wrong."""
        raise NotImplementedError

    def test_it_meets_the_contract(self) -> None:
        """In its value and its intervals."""
        assert math.isfinite(check_scorer(self.scorer, *self.sample()))

    def test_right_answers_differ_from_wrong_ones_beyond_chance(self) -> None:
        """The interval of the difference excludes zero."""
        answers, _, targets = self.sample()
        difference = score_difference(self.scorer, answers, targets, targets)
        assert difference.low * difference.high > 0


def check_scorer(scorer: Scorer, answers: Array, others: Array, targets: Array) -> float:
    """Check a scorer on sample answers of two models; returns the score of the first."""
    value, order = scorer.value(answers, targets), np.random.default_rng(1).permutation(len(targets))
    assert scorer.value(answers[order], targets[order]) == pytest.approx(value, rel=CLOSE, abs=CLOSE, nan_ok=True)
    if isinstance(scorer, SummedScore):
        _check_sums(scorer, answers, targets, value)
    if isinstance(scorer, RankedScore) and scorer.of_counts is not None:
        drawn = list(draws(len(targets), FEW, 0))
        counts = np.stack([np.bincount(rows, minlength=len(targets)) for rows in drawn])
        expected = [scorer.value(answers[rows], targets[rows]) for rows in drawn]
        together = scorer.of_counts(answers, targets, counts)
        assert np.allclose(together, expected, rtol=NEAR, atol=NEAR, equal_nan=True), (
            "counts of rows give other scores than rows"
        )
    resamples = scorer.resampled(answers, targets)
    assert np.array_equal(resamples, scorer.resampled(answers, targets), equal_nan=True), "resamples are not paired"
    if math.isfinite(value) and isinstance(scorer, SummedScore):
        low, high = score_interval(scorer, answers, targets)
        assert low <= high and low - (high - low) <= value <= high + (high - low)
        difference = score_difference(scorer, answers, others, targets)
        assert difference.first == value and difference.low <= difference.high
    return value


def _check_sums(scorer: SummedScore, answers: Array, targets: Array, value: float) -> None:
    """Each row's statistics do not depend on other rows; the sums of two halves add up to the score."""
    rows, half = scorer.statistics(answers, targets), len(targets) // 2
    assert rows.ndim == 2 and len(rows) == len(targets) and rows.dtype == np.float64
    parts = [scorer.statistics(answers[part], targets[part]) for part in (slice(half), slice(half, None))]
    assert np.allclose(np.concatenate(parts), rows, rtol=CLOSE, atol=CLOSE, equal_nan=True)  # where a metric is not defined
    assert scorer.score(parts[0].sum(0) + parts[1].sum(0)) == pytest.approx(value, rel=CLOSE, abs=CLOSE, nan_ok=True)
