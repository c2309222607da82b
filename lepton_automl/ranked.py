"""Ranking scores of many resamples at once, from how often each row was drawn."""

from __future__ import annotations

import numpy as np

from .arrays import Array


def areas_under_roc(answers: Array, positive: Array, counts: Array) -> Array:
    """The area under the ROC curve of each resample, [B]; NaN where all of its rows are of one kind.

    Args:
        answers: The score of each row, [N]; equal ones count by half.
        positive: Which rows are positive, [N].
        counts: How often each resample has each row, [B, N].
    """
    above, below = _by_answer(answers, positive, counts)
    less = np.cumsum(below, 1) - below / 2
    return _ratio((above * less).sum(1), above.sum(1) * below.sum(1))


def average_precisions(answers: Array, positive: Array, counts: Array) -> Array:
    """The average precision of each resample, [B]; NaN where none of its rows is positive. For the arguments see above."""
    right, wrong = (rows[:, ::-1] for rows in _by_answer(answers, positive, counts))
    found = np.cumsum(right, 1)
    precision = np.nan_to_num(_ratio(found, found + np.cumsum(wrong, 1)))
    return _ratio((right * precision).sum(1), right.sum(1))


def mean_of_defined(scores: Array) -> Array:
    """The mean over the first axis, [K, B] to [B], of what is defined; NaN where nothing is."""
    defined = np.isfinite(scores)
    return _ratio(np.where(defined, scores, 0.0).sum(0), defined.sum(0))


def _by_answer(answers: Array, positive: Array, counts: Array) -> tuple[Array, Array]:
    """Positive and other rows drawn with each distinct answer, ascending: [B, answers] each."""
    order = np.argsort(answers, kind="stable")
    ranked, drawn = answers[order], counts[:, order].astype(np.float64)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1])
    of_positive = drawn * positive[order]
    return np.add.reduceat(of_positive, starts, axis=1), np.add.reduceat(drawn - of_positive, starts, axis=1)


def _ratio(above: Array, below: Array) -> Array:
    quotient: Array = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
    return quotient
