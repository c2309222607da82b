"""The estimator for classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from lepton_automl.configure import custom_metric

from .base import LeptonEstimator
from .tables import check_single_labels


class LeptonClassifier(ClassifierMixin, LeptonEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Searches networks that predict the class of a row, as a scikit-learn classifier.

    A fit searches in worker processes, which are kept for the next fit, and leaves nothing behind: the estimator carries the
    chosen model, also when it is pickled. With `trials`, a `random_state` decides everything.

    Args:
        minutes: Time of a fit; None if only trials limit it.
        trials: Number of networks to try; replaces `minutes`.
        objectives: What to optimise, as for `AutoML`.
        metric: The score that models are chosen by; by default accuracy. A function `metric(truth, answers)` gets classes as in `y`.
        max_latency_ms: Largest time of one prediction; None for no limit.
        class_weight: `"balanced"`, or a weight for each class.
        hyperparameters: Hyperparameters to pin or to replace, as for `AutoML`.
        refit: Whether the chosen model also learns from the validation rows: `"auto"` or `"none"`.
        workers: Worker processes; by default one per core, and one where `trials` are given.
        name: A name to keep the study under, in `home` and in MLflow; None to keep nothing.
        home: The folder of kept studies.
        random_state: The seed.

    Attributes:
        classes_: The classes, sorted.
        n_features_in_: Number of columns.
        feature_names_in_: Their names, if the rows were a table.
        bundle_: The chosen model's bundle, as a zip archive.

    Example:
        >>> LeptonClassifier(trials=3, random_state=0).fit(x, y).predict_proba(x[:2])  # doctest: +SKIP
    """

    def __init__(  # scikit-learn reads the parameters from here
        self,
        *,
        minutes: float | None = 10.0,
        trials: int | None = None,
        objectives: Any = ("accuracy",),
        metric: Any = None,
        max_latency_ms: float | None = None,
        class_weight: str | Mapping[Any, float] | None = None,
        hyperparameters: Mapping[str, Any] | None = None,
        refit: str = "auto",
        workers: int | None = None,
        name: str | None = None,
        home: Any = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            minutes=minutes,
            trials=trials,
            objectives=objectives,
            metric=metric,
            max_latency_ms=max_latency_ms,
            hyperparameters=hyperparameters,
            refit=refit,
            workers=workers,
            name=name,
            home=home,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # scikit-learn's name
        """Search networks for rows and their classes.

        Args:
            X: A table of pandas, polars, Arrow or DuckDB, a dict of columns, a dataset of rows; or numbers [N, F]. NaN is a missing
                value.
            y: The classes, [N].
            sample_weight: The weights of the rows, [N]; None if all count alike.

        Raises:
            ValueError: The rows or classes cannot be used.
            LeptonError: No network was finished.
        """
        check_single_labels(y, numbers=False)
        columns, classes = self._input(X, y, reset=True)
        check_classification_targets(classes)
        self.classes_, codes = np.unique(column_or_1d(classes, warn=True), return_inverse=True)
        if len(self.classes_) < 2:  # as messages of scikit-learn's say
            raise ValueError(f"classifiers need at least 2 classes; there is one class: {self.classes_[0]!r}")
        names = np.array([_code(number) for number in range(len(self.classes_))], object)
        weights = self.class_weight
        if isinstance(weights, Mapping):
            weights = {_code(at): weights.get(label, 1.0) for at, label in enumerate(self.classes_)}
        metric = self._metric()
        return self._fit(columns, names[codes], sample_weight, numbers=False, class_weight=weights, metric=metric)

    def _metric(self) -> Any:
        """The metric; a function gets the user's labels, which are texts, numbers or truth values."""
        own = custom_metric(self.metric)
        if own is None:
            return self.metric
        return own.replace(labels=tuple((_code(at), label) for at, label in enumerate(self.classes_.tolist())))

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row, [N]."""
        predicted = self._model().predict(self._rows(X))
        return np.asarray(self.classes_[[int(str(code)[1:]) for code in predicted]])

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The calibrated probability of each class, [N, classes], in the order of `classes_`."""
        model, rows = self._model(), self._rows(X)
        found = np.asarray(model.predict_proba(rows), np.float64)
        likely = np.zeros((len(rows), len(self.classes_)))
        likely[:, [int(str(code)[1:]) for code in model.classes]] = found
        return np.asarray(likely / likely.sum(1, keepdims=True))


def _code(number: int) -> str:
    """The name of a class in the search's table, which sorts as its number does."""
    return f"c{number:06d}"
