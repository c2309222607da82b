"""From probabilities to labels. This file is shipped with every classifier: it needs only NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json

TYPES = {bool: "boolean", int: "long", str: "string", float: "double"}


class ClassDecoder:
    """Labels of the most probable classes.

    Args:
        output: What the model predicts: `classes`, in the order of its outputs.
    """

    def __init__(self, output: Json) -> None:
        self.classes: list[Any] = list(output["classes"])
        self.columns = ("prediction", *(f"probability_{label}" for label in self.classes))
        self._labels = as_labels(self.classes)

    def shape(self, rows: int) -> tuple[int, ...]:
        """[rows, classes]."""
        return rows, len(self.classes)

    def decode(self, outputs: Array, context: Mapping[str, Any]) -> Array:
        """Labels [N] for probabilities [N, classes]."""
        del context
        labels: Array = self._labels[outputs.argmax(1)]
        return labels

    def probabilities(self, outputs: Array) -> Array:
        """Probabilities [N, classes], as the model returned them."""
        return outputs

    def table(self, outputs: Array, context: Mapping[str, Any]) -> list[list[Any]]:
        """The label, then the probability of each class."""
        del context
        return [[self.classes[at] for at in outputs.argmax(1).tolist()], *outputs.T.tolist()]

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
