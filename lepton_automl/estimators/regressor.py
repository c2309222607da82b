"""The estimator for numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import assert_all_finite, column_or_1d

from .base import LeptonEstimator
from .tables import check_single_labels


class LeptonRegressor(RegressorMixin, LeptonEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Searches networks that predict a number for a row, as a scikit-learn regressor; see `LeptonClassifier`.

    Args:
        minutes: Time of a fit; None if only trials limit it.
        trials: Number of networks to try; replaces `minutes`.
        objectives: What to optimise, as for `AutoML`.
        metric: The score that models are chosen by; by default RMSE.
        max_latency_ms: Largest time of one prediction; None for no limit.
        hyperparameters: Hyperparameters to pin or to replace, as for `AutoML`.
        refit: Whether the chosen model also learns from the validation rows: `"auto"` or `"none"`.
        workers: Worker processes; by default one per core, and one where `trials` are given.
        name: A name to keep the study under, in `home` and in MLflow; None to keep nothing.
        home: The folder of kept studies.
        random_state: The seed.

    Attributes:
        n_features_in_: Number of columns.
        feature_names_in_: Their names, if the rows were a table.
        bundle_: The chosen model's bundle, as a zip archive.

    Example:
        >>> LeptonRegressor(minutes=0.5).fit(x, y).predict(x[:2])  # doctest: +SKIP
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # scikit-learn's name
        """Search networks for rows and their numbers.

        Args:
            X: A table of pandas, polars, Arrow or DuckDB, a dict of columns, a dataset of rows; or numbers [N, F]. NaN is a missing
                value.
            y: The numbers, [N].
            sample_weight: The weights of the rows, [N]; None if all count alike.

        Raises:
            ValueError: The rows or numbers cannot be used.
            LeptonError: No network was finished.
        """
        check_single_labels(y, numbers=True)
        columns, numbers = self._input(X, y, reset=True)
        targets = column_or_1d(numbers, dtype=np.float64, warn=True)
        assert_all_finite(targets, input_name="y")
        return self._fit(columns, targets, sample_weight, numbers=True)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The number for each row, [N]."""
        return np.asarray(self._model().predict(self._rows(X)), np.float64).reshape(-1)
