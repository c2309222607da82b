"""Quantiles of a number, in order. This file is shipped with every such model: it needs only NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.calibration import region_quantile
from lepton_automl.errors import ConfigError


class QuantileDecoder:
    """Quantiles in the target's own unit; they never cross.

    Args:
        output: What the model predicts: `target`, its name, `quantiles`, and the `decoder` with the quantiles of its `regions`.
    """

    region_columns = ("low", "high")

    def __init__(self, output: Json) -> None:
        self.target = str(output["target"])
        self.quantiles = [float(quantile) for quantile in output["quantiles"]]
        self.classes: list[Any] = []
        self.columns = ("prediction", *(f"quantile_{quantile:g}" for quantile in self.quantiles))
        self._regions = output.get("decoder", {}).get("regions")
        self._middle = int(np.argmin(np.abs(np.array(self.quantiles) - 0.5)))

    def shape(self, rows: int) -> tuple[int, ...]:
        """[rows, quantiles]."""
        return rows, len(self.quantiles)

    def decode(self, outputs: Array, context: Mapping[str, Any]) -> Array:
        """The quantiles [N, quantiles], in ascending order."""
        del context
        return np.sort(outputs, axis=1)

    def regions(self, outputs: Array, context: Mapping[str, Any], coverage: float) -> Array:
        """The ends of an interval for each row [N, 2], float64.

        Its ends are two of the model's quantiles, moved outwards or inwards by the same distance for all rows (Romano, Patterson and
        Candès, Conformalized Quantile Regression, 2019).

        Args:
            outputs: The model's quantiles [N, quantiles].
            context: What `decode` needs.
            coverage: The share of rows whose interval holds the target, between 0 and 1.

        Raises:
            ConfigError: The model was not calibrated for this coverage.
        """
        level, distance = region_quantile(self._regions, coverage)
        low, high = ends_for(self.quantiles, level)
        answers = self.decode(outputs, context).astype(np.float64)
        # Where the ends are moved past each other, the interval between them is still the safe answer.
        return np.sort(np.stack([answers[:, low] - distance, answers[:, high] + distance], 1), 1)

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


def ends_for(quantiles: Sequence[float], level: float) -> tuple[int, int]:
    """Which two quantiles are nearest to the ends of a central interval of this level."""
    places = np.array(quantiles)
    return int(np.argmin(np.abs(places - (1 - level) / 2))), int(np.argmin(np.abs(places - (1 + level) / 2)))
