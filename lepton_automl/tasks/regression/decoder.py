"""A model's numbers, which are the answers. This file is shipped with every such model: it needs only NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lepton_automl.arrays import Array, Json
from lepton_automl.errors import ConfigError


class NumberDecoder:
    """Numbers in the target's own unit.

    Args:
        output: What the model predicts: `target`, its name.
    """

    def __init__(self, output: Json) -> None:
        self.target = str(output["target"])
        self.classes: list[Any] = []
        self.columns = ("prediction",)

    def shape(self, rows: int) -> tuple[int, ...]:
        """[rows]."""
        return (rows,)

    def decode(self, outputs: Array, context: Mapping[str, Any]) -> Array:
        """The numbers [N]."""
        del context
        return outputs

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
