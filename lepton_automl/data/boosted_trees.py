"""scikit-learn's histogram-based gradient boosting, grown while there is time, with the answers of each kind of task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lepton_automl.arrays import Array

ROUNDS = 100  # scikit-learn's default
STEP = 5  # rounds between looks at the clock
MOST_CODES = 255  # of a categorical column; with more, codes are treated as numbers


class BoostedTrees:
    """One ensemble of trees for each column of targets.

    Args:
        estimators: scikit-learn estimators with `warm_start`, one per column.
        predict: What a fitted estimator answers for rows: [N] or [N, K].
        flat: Whether answers are those of the only estimator; else they are stacked, [N, columns].
    """

    def __init__(self, estimators: Sequence[Any], predict: Callable[[Any, Array], Array], *, flat: bool) -> None:
        self._estimators, self._predict, self._flat = estimators, predict, flat
        self._constants: dict[int, float] = {}

    def fit(self, rows: Array, targets: Array, seconds_left: Callable[[], float]) -> int:
        """Grow trees while there is time, at least a few for each column; returns the rounds of the ensemble with the fewest.

        Args:
            rows: float32 [N, F].
            targets: [N], for all columns, or [N, columns].
            seconds_left: Seconds until the time is over.
        """
        count, fewest = len(self._estimators), ROUNDS
        for number, estimator in enumerate(self._estimators):
            column = targets if targets.ndim == 1 else targets[:, number]
            if column.min() == column.max():  # no estimator learns a single class
                self._constants[number] = float(column[0])
                continue
            others = seconds_left() * (1 - 1 / (count - number))
            fewest = min(fewest, _grow(estimator, rows, column, seconds_left, others))
        return fewest

    def answers(self, rows: Array) -> Array:
        """The task's answers for rows [N, F]."""
        parts = [
            np.full(len(rows), self._constants[number]) if number in self._constants else self._predict(estimator, rows)
            for number, estimator in enumerate(self._estimators)
        ]
        return parts[0] if self._flat else np.stack(parts, 1)


def _grow(estimator: Any, rows: Array, targets: Array, seconds_left: Callable[[], float], others: float) -> int:
    """Add trees until only the seconds for the other columns are left; returns how many rounds there are."""
    rounds = 0
    while rounds < ROUNDS and (not rounds or seconds_left() > others):
        rounds += STEP
        estimator.set_params(max_iter=rounds)
        estimator.fit(rows, targets)
    return rounds


def boosted_classes(classes: int, class_weight: Sequence[float], settings: Mapping[str, Any]) -> BoostedTrees:
    """Trees whose answers are a probability for each class, [N, classes]."""

    def probabilities(estimator: Any, rows: Array) -> Array:
        known = np.zeros((len(rows), classes))
        known[:, estimator.classes_.astype(int)] = estimator.predict_proba(rows)
        return known

    weights = dict(enumerate(class_weight)) if class_weight else None
    return BoostedTrees([_classifier({**settings, "class_weight": weights})], probabilities, flat=True)


def boosted_labels(labels: int, settings: Mapping[str, Any]) -> BoostedTrees:
    """Trees whose answers are the probability of each label by itself, [N, labels]."""
    return BoostedTrees(
        [_classifier(settings) for _ in range(labels)],
        lambda estimator, rows: estimator.predict_proba(rows)[:, 1],
        flat=False,
    )


def boosted_numbers(settings: Mapping[str, Any], losses: Sequence[Mapping[str, Any]] = ()) -> BoostedTrees:
    """Trees whose answers are numbers: means [N], or one number for each loss, [N, losses].

    Args:
        settings: Arguments of all estimators.
        losses: Further arguments of each, which name its loss; empty for one that minimises the squared error.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    estimators = [
        HistGradientBoostingRegressor(warm_start=True, early_stopping=False, **loss, **settings) for loss in losses or ({},)
    ]
    return BoostedTrees(estimators, lambda estimator, rows: estimator.predict(rows), flat=not losses)


def _classifier(settings: Mapping[str, Any]) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(warm_start=True, early_stopping=False, **settings)
