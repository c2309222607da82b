"""From probabilities to sets of labels. This file is shipped with every such model: it needs only NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json


class LabelSetDecoder:
    """The labels whose probability reaches their threshold.

    Args:
        output: What the model predicts: `classes`, in the order of its outputs, and the `decoder` with its `thresholds`.
    """

    def __init__(self, output: Json) -> None:
        self.classes: list[Any] = list(output["classes"])
        thresholds = output.get("decoder", {}).get("thresholds") or [0.5] * len(self.classes)
        self.thresholds = np.asarray(thresholds, np.float64)
        if self.thresholds.shape != (len(self.classes),):
            raise ValueError(f"there are {len(self.classes)} labels and thresholds of shape {self.thresholds.shape}")
        self.columns = ("prediction", *(f"probability_{label}" for label in self.classes))

    def shape(self, rows: int) -> tuple[int, ...]:
        """[rows, labels]."""
        return rows, len(self.classes)

    def decode(self, outputs: Array, context: Mapping[str, Any]) -> Array:
        """A list of labels for each row, [N] objects."""
        del context
        answers = np.empty(len(outputs), object)
        for row, chosen in enumerate(outputs >= self.thresholds):
            answers[row] = [label for label, is_chosen in zip(self.classes, chosen.tolist(), strict=True) if is_chosen]
        return answers

    def probabilities(self, outputs: Array) -> Array:
        """The probability of each label [N, labels]; they do not add up to 1."""
        return outputs

    def table(self, outputs: Array, context: Mapping[str, Any]) -> list[list[Any]]:
        """The list of labels, then the probability of each label."""
        return [self.decode(outputs, context).tolist(), *outputs.T.tolist()]

    def types(self) -> list[str]:
        """Lists, and numbers."""
        return ["any", *("double" for _ in self.classes)]
