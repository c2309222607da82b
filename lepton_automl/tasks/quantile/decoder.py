"""Quantiles of a number, in order. This file is shipped with every such model: it needs only NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.errors import ConfigError


class QuantileDecoder:
    """Quantiles in the target's own unit; they never cross.

    Args:
        output: What the model predicts: `target`, its name, and `quantiles`.
    """

    def __init__(self, output: Json) -> None:
        self.target = str(output["target"])
        self.quantiles = [float(quantile) for quantile in output["quantiles"]]
        self.classes: list[Any] = []
        self.columns = ("prediction", *(f"quantile_{quantile:g}" for quantile in self.quantiles))
        self._middle = int(np.argmin(np.abs(np.array(self.quantiles) - 0.5)))

    def shape(self, rows: int) -> tuple[int, ...]:
        """[rows, quantiles]."""
        return rows, len(self.quantiles)

    def decode(self, outputs: Array, context: Mapping[str, Any]) -> Array:
        """The quantiles [N, quantiles], in ascending order."""
        del context
        return np.sort(outputs, axis=1)

    def probabilities(self, outputs: Array) -> Array:
        """Raise an error: quantiles have no probabilities.

        Raises:
            ConfigError: Always.
        """
        del outputs
        what = f"this model predicts quantiles of {self.target!r} and has no probabilities of classes"
        raise ConfigError(what, fix="Use predict().")

    def table(self, outputs: Array, context: Mapping[str, Any]) -> list[list[Any]]:
        """The quantile nearest to the median, then all quantiles."""
        answers = self.decode(outputs, context)
        return [answers[:, self._middle].tolist(), *answers.T.tolist()]

    def types(self) -> list[str]:
        """Numbers."""
        return ["double"] * len(self.columns)
