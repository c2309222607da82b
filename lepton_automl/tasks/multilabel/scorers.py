"""Scorers of multi-label classification."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.metric import RankedScore, SummedScore, mean_score, ratio
from lepton_automl.ranked import average_precisions, mean_of_defined

LEAST = float(np.finfo(np.float32).eps)  # a probability of zero would outweigh all other rows


def label_scorers(thresholds: Sequence[float]) -> dict[str, SummedScore | RankedScore]:
    """The scorers of probabilities [N, K] and targets of zeros and ones [N, K], by scikit-learn's definitions.

    Args:
        thresholds: The probability from which a label is predicted, [K].

    Returns:
        The scorers by name. `mean_average_precision` is the mean over the labels that some row has; NaN if no row has a label.
    """
    levels = np.asarray(thresholds, np.float64)

    def predicted(answers: Array) -> Array:
        chosen: Array = _clamped(answers) >= levels
        return chosen

    def counts(answers: Array, targets: Array) -> Array:
        """For each label: rows with it in truth and answer; then rows with it in the truth plus rows with it in the answer."""
        truth, chosen = targets > 0.5, predicted(answers)
        return np.concatenate([truth & chosen, truth.astype(np.float64) + chosen], 1).astype(np.float64)

    def log_loss(answers: Array, targets: Array) -> Array:
        likely = np.where(targets > 0.5, _clamped(answers), 1 - _clamped(answers))
        loss: Array = -np.log(np.maximum(likely, LEAST)).mean(1)
        return loss

    return {
        "mean_average_precision": RankedScore(_mean_average_precision, _resampled_precision),
        "micro_f1": SummedScore(counts, lambda sums: ratio(2 * sums[: len(levels)].sum(), sums[len(levels) :].sum())),
        "macro_f1": SummedScore(counts, lambda sums: _macro_f1(sums[: len(levels)], sums[len(levels) :])),
        "subset_accuracy": mean_score(lambda answers, targets: (predicted(answers) == (targets > 0.5)).all(1)),
        "log_loss": mean_score(log_loss),
    }


def _clamped(answers: Array) -> Array:
    return answers.astype(np.float64).clip(0, 1)


def _macro_f1(right: Array, total: Array) -> float:
    known = total > 0
    return float((2 * right[known] / total[known]).mean()) if known.any() else math.nan


def _resampled_precision(answers: Array, targets: Array, counts: Array) -> Array:
    """As `_mean_average_precision`."""
    answers, truth = _clamped(answers), targets > 0.5
    labels = range(truth.shape[1])
    return mean_of_defined(np.stack([average_precisions(answers[:, k], truth[:, k], counts) for k in labels]))


def _mean_average_precision(answers: Array, targets: Array) -> float:
    from sklearn.metrics import average_precision_score

    answers, truth = _clamped(answers), targets > 0.5
    known = np.flatnonzero(truth.any(0))
    if not len(known):
        return math.nan
    return float(np.mean([average_precision_score(truth[:, label], answers[:, label]) for label in known]))
