"""A model's numbers, which are the answers. This file is shipped with every such model: it needs only NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.calibration import region_quantile
from lepton_automl.errors import ConfigError


class NumberDecoder:
    """Numbers in the target's own unit.

    Args:
        output: What the model predicts: `target`, its name, and the `decoder` with the quantiles of its `regions`.
    """

    region_columns = ("low", "high")

    def __init__(self, output: Json) -> None:
        self.target = str(output["target"])
        self.classes: list[Any] = []
        self.columns = ("prediction",)
        self._regions = output.get("decoder", {}).get("regions")

    def shape(self, rows: int) -> tuple[int, ...]:
        """[rows]."""
        return (rows,)

    def decode(self, outputs: Array, context: Mapping[str, Any]) -> Array:
        """The numbers [N]."""
        del context
        return outputs

    def regions(self, outputs: Array, context: Mapping[str, Any], coverage: float) -> Array:
        """The ends of an interval around each number [N, 2], float64; all intervals are equally wide.

        Args:
            outputs: The model's numbers [N].
            context: Unused.
            coverage: The share of rows whose interval holds the target, between 0 and 1.

        Raises:
            ConfigError: The model was not calibrated for this coverage.
        """
        del context
        _, half = region_quantile(self._regions, coverage)
        middle = outputs.astype(np.float64)
        return np.stack([middle - half, middle + half], 1)

    def probabilities(self, outputs: Array) -> Array:
        """Raise an error: numbers have no probabilities.

        Raises:
            ConfigError: Always.
        """
        del outputs
        raise ConfigError(f"this model predicts the number {self.target!r} and has no probabilities", fix="Use predict().")

    def table(self, outputs: Array, context: Mapping[str, Any]) -> list[list[Any]]:
        """The number."""
        del context
        return [outputs.tolist()]

    def types(self) -> list[str]:
        """A number."""
        return ["double"]
