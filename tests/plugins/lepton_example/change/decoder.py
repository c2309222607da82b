"""From changes to what comes next. This file travels with every such model: it needs NumPy alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.calibration import region_quantile
from lepton_automl.errors import ConfigError
from lepton_automl.generation import Program, State


class ChangeDecoder:
    """The last value of the input and the change that the model predicts.

    Args:
        output: What the model answers: `target`, its name, and the `decoder` with the quantiles of its `regions`.
    """

    region_columns = ("low", "high")

    def __init__(self, output: Json) -> None:
        self.target = str(output["target"])
        self.classes: list[Any] = []
        self.columns = ("prediction", "change")
        self.steps = 0  # the loop goes by the input
        self._regions = output.get("decoder", {}).get("regions")

    def shape(self, rows: int) -> tuple[int, ...]:
        """[rows]."""
        return (rows,)

    def generate(
        self, programs: Mapping[str, Program], arrays: Mapping[str, Array], state: State, steps: int = 0
    ) -> tuple[Array, State]:
        """One call of `step` for each number of the sequence: of the first piece behind that of `start`."""
        del steps
        values, mask = arrays["values"], arrays["mask"]
        state = state or programs["start"]({"mask": mask[:, 0].copy()})
        places = np.flatnonzero(mask.any(0)).tolist() or [0]
        outputs = values[:, 0]
        for place in places:
            given = programs["step"]({"value": values[:, place].copy(), "mask": mask[:, place].copy(), **state})
            outputs, state = given["outputs"], {"state": given["next_state"]}
        return outputs, state

    def decode(self, outputs: Array, context: Mapping[str, Any]) -> Array:
        """What comes next [N]."""
        return context["last"] + outputs

    def regions(self, outputs: Array, context: Mapping[str, Any], coverage: float) -> Array:
        """The ends of an interval around what comes next [N, 2]."""
        _, half = region_quantile(self._regions, coverage)
        middle = self.decode(outputs, context).astype(np.float64)
        return np.stack([middle - half, middle + half], 1)

    def probabilities(self, outputs: Array) -> Array:
        """None."""
        raise ConfigError("a change has no probabilities", fix="Use predict().")

    def table(self, outputs: Array, context: Mapping[str, Any]) -> list[list[Any]]:
        """What comes next, and the change."""
        return [self.decode(outputs, context).tolist(), outputs.tolist()]

    def types(self) -> list[str]:
        """Numbers."""
        return ["double", "double"]
