"""From probabilities to sets of labels. This file is shipped with every such model: it needs only NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.calibration import region_quantile

ROUNDED = 2.0**-24  # a probability this close to 0 or 1 was rounded in 32 bits


class LabelSetDecoder:
    """The labels whose probability reaches their threshold.

    Args:
        output: What the model predicts: `classes`, in the order of its outputs, and the `decoder` with its `thresholds` and its
            `temperature`, one for each label, and the quantiles of its `regions`.
    """

    region_columns = ("prediction_set",)

    def __init__(self, output: Json) -> None:
        fitted = output.get("decoder", {})
        self.classes: list[Any] = list(output["classes"])
        self.thresholds = self._of_labels(fitted.get("thresholds"), 0.5, "thresholds")
        self.temperature = self._of_labels(fitted.get("temperature"), 1.0, "temperatures")
        self._regions = fitted.get("regions")
        self.columns = ("prediction", *(f"probability_{label}" for label in self.classes))

    def _of_labels(self, numbers: list[float] | None, usual: float, what: str) -> Array:
        """One number for each label."""
        array = np.asarray(numbers or [usual] * len(self.classes), np.float64)
        if array.shape != (len(self.classes),):
            raise ValueError(f"there are {len(self.classes)} labels and {what} of shape {array.shape}")
        return array

    def shape(self, rows: int) -> tuple[int, ...]:
        """[rows, labels]."""
        return rows, len(self.classes)

    def decode(self, outputs: Array, context: Mapping[str, Any]) -> Array:
        """A list of labels for each row, [N] objects."""
        del context
        return self._named(with_temperatures(outputs, self.temperature) >= self.thresholds)

    def probabilities(self, outputs: Array) -> Array:
        """The probability of each label [N, labels], scaled by its temperature; they do not add up to 1."""
        return with_temperatures(outputs, self.temperature).astype(outputs.dtype, copy=False)

    def regions(self, outputs: Array, context: Mapping[str, Any], coverage: float) -> Array:
        """For each row a list of labels that holds all of its labels, [N] objects; a list may hold others too.

        These are the outer sets of Cauchois, Gupta and Duchi, Knowing what You Know (JMLR 2021): a row's score is that of the least
        probable of its labels.

        Args:
            outputs: The model's probabilities [N, labels].
            context: Unused.
            coverage: The share of rows whose list holds all of their labels, between 0 and 1.

        Raises:
            ConfigError: The model was not calibrated for this coverage.
        """
        del context
        _, quantile = region_quantile(self._regions, coverage)
        return self._named(-with_temperatures(outputs, self.temperature) <= quantile)

    def _named(self, chosen: Array) -> Array:
        answers = np.empty(len(chosen), object)
        for row, flags in enumerate(chosen.tolist()):
            answers[row] = [label for label, is_chosen in zip(self.classes, flags, strict=True) if is_chosen]
        return answers

    def table(self, outputs: Array, context: Mapping[str, Any]) -> list[list[Any]]:
        """The list of labels, then the probability of each label."""
        return [self.decode(outputs, context).tolist(), *self.probabilities(outputs).T.tolist()]

    def types(self) -> list[str]:
        """Lists, and numbers."""
        return ["any", *("double" for _ in self.classes)]


def with_temperatures(probabilities: Array, temperature: Array) -> Array:
    """Probabilities of independent labels whose logits are divided by a temperature for each label.

    Args:
        probabilities: [N, labels].
        temperature: [labels].

    Returns:
        Probabilities [N, labels], float64; the same array if every temperature is 1.
    """
    if (temperature == 1.0).all():
        return probabilities
    likely = probabilities.astype(np.float64).clip(ROUNDED, 1 - ROUNDED)
    scaled: Array = 1 / (1 + np.exp((np.log1p(-likely) - np.log(likely)) / temperature))
    return scaled
