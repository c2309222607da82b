"""From changes to what comes next. This file travels with every such model: it needs NumPy alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lepton_automl.arrays import Array, Json
from lepton_automl.errors import ConfigError


class ChangeDecoder:
    """The last value of the input and the change that the model predicts.

    Args:
        output: What the model answers: `target`, its name.
    """

    def __init__(self, output: Json) -> None:
        self.target = str(output["target"])
        self.classes: list[Any] = []
        self.columns = ("prediction", "change")

    def shape(self, rows: int) -> tuple[int, ...]:
        """[rows]."""
        return (rows,)

    def decode(self, outputs: Array, context: Mapping[str, Any]) -> Array:
        """What comes next [N]."""
        return context["last"] + outputs

    def probabilities(self, outputs: Array) -> Array:
        """None."""
        raise ConfigError("a change has no probabilities", fix="Use predict().")

    def table(self, outputs: Array, context: Mapping[str, Any]) -> list[list[Any]]:
        """What comes next, and the change."""
        return [self.decode(outputs, context).tolist(), outputs.tolist()]

    def types(self) -> list[str]:
        """Numbers."""
        return ["double", "double"]
