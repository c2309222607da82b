"""From probabilities to labels. This file is shipped with every classifier: it needs only NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.calibration import region_quantile, with_temperature

TYPES = {bool: "boolean", int: "long", str: "string", float: "double"}


class ClassDecoder:
    """Labels of the most probable classes, and sets of labels that hold the true one as often as requested.

    Args:
        output: What the model predicts: `classes`, in the order of its outputs, and the `decoder` with its `temperature` and the
            quantiles of its `regions`.
    """

    region_columns = ("prediction_set",)

    def __init__(self, output: Json) -> None:
        fitted = output.get("decoder", {})
        self.classes: list[Any] = list(output["classes"])
        self.columns = ("prediction", *(f"probability_{label}" for label in self.classes))
        self.temperature = float(fitted.get("temperature", 1.0))
        if not 0 < self.temperature < np.inf:
            raise ValueError(f"the temperature is {self.temperature}")
        self._regions = fitted.get("regions")
        self._labels = as_labels(self.classes)

    def shape(self, rows: int) -> tuple[int, ...]:
        """[rows, classes]."""
        return rows, len(self.classes)

    def decode(self, outputs: Array, context: Mapping[str, Any]) -> Array:
        """Labels [N] for the model's probabilities [N, classes]."""
        del context
        labels: Array = self._labels[outputs.argmax(1)]
        return labels

    def probabilities(self, outputs: Array) -> Array:
        """Probabilities [N, classes], scaled by the temperature."""
        return with_temperature(outputs, self.temperature).astype(outputs.dtype, copy=False)

    def regions(self, outputs: Array, context: Mapping[str, Any], coverage: float) -> Array:
        """A list of labels for each row, [N] objects, the most probable label first; a list may be empty.

        A label is in the set if its probability reaches a threshold that is the same for all rows: the smallest sets on average
        (Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued Classifiers, JASA 2019).

        Args:
            outputs: The model's probabilities [N, classes].
            context: Unused.
            coverage: The share of rows whose set holds the true label, between 0 and 1.

        Raises:
            ConfigError: The model was not calibrated for this coverage.
        """
        del context
        _, quantile = region_quantile(self._regions, coverage)
        likely = with_temperature(outputs, self.temperature)
        order, counts = np.argsort(-likely, axis=1, kind="stable"), (-likely <= quantile).sum(1)
        sets = np.empty(len(outputs), object)
        for row, count in enumerate(counts.tolist()):
            sets[row] = [self.classes[at] for at in order[row, :count].tolist()]
        return sets

    def table(self, outputs: Array, context: Mapping[str, Any]) -> list[list[Any]]:
        """The label, then the probability of each class."""
        del context
        return [[self.classes[at] for at in outputs.argmax(1).tolist()], *self.probabilities(outputs).T.tolist()]

    def types(self) -> list[str]:
        """The type of the labels if they have one in common, then numbers."""
        kinds = {type(label) for label in self.classes}
        kind = TYPES.get(kinds.pop(), "any") if len(kinds) == 1 else "any"
        return [kind, *("double" for _ in self.classes)]


def as_labels(classes: list[Any]) -> Array:
    """Labels as an array, of their own type if they have one in common."""
    if len({type(label) for label in classes}) == 1:
        labels = np.asarray(classes)
    else:
        labels = np.empty(len(classes), object)
        labels[:] = classes
    if labels.ndim > 1:
        raise ValueError("a label is a list")
    return labels
