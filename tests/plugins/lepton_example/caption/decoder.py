"""From letters to captions, and the loop that writes them. This file travels with every such model: it needs NumPy alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.errors import ConfigError
from lepton_automl.generation import Program, State


class CaptionDecoder:
    """Texts of letters, each of which is written in view of the one before it.

    Args:
        output: What the model answers: `classes`, the letters; `longest` and `typical`, their number in a caption.
    """

    region_columns = ()

    def __init__(self, output: Json) -> None:
        self.classes: list[Any] = list(output["classes"])
        self.longest = int(output["longest"])
        self.steps = min(int(output["typical"]), self.longest)
        self.columns = ("prediction",)

    @property
    def end(self) -> int:
        """The token of the end mark, which also stands before the first letter."""
        return len(self.classes)

    def shape(self, rows: int) -> tuple[int, ...]:
        """[rows, longest]."""
        return rows, self.longest

    def generate(
        self, programs: Mapping[str, Program], arrays: Mapping[str, Array], state: State, steps: int = 0
    ) -> tuple[Array, State]:
        """Greedily: `encoder` once, then `step` until all rows have ended, or the captions are as long as any."""
        inner = programs["encoder"](dict(arrays))["state"]
        token = np.full(len(inner), self.end, np.int64)
        ended = np.zeros(len(inner), bool)
        tokens = np.full((len(inner), self.longest), self.end, np.int64)
        for place in range(steps or self.longest):
            given = programs["step"]({"token": token, "state": inner})
            token, inner = given["scores"].argmax(1), given["next_state"]
            ended |= token == self.end
            tokens[~ended, place] = token[~ended]
            if not steps and ended.all():
                break
        return tokens, state

    def decode(self, outputs: Array, context: Mapping[str, Any]) -> Array:
        """Texts [N], of tokens [N, longest]."""
        letters = [*map(str, self.classes), ""]
        texts = ["".join(letters[int(token)] for token in row) for row in outputs]
        return np.array(texts, object)

    def regions(self, outputs: Array, context: Mapping[str, Any], coverage: float) -> Array:
        """None."""
        raise ConfigError("captions have no prediction sets", fix="Use predict() without coverage.")

    def probabilities(self, outputs: Array) -> Array:
        """None."""
        raise ConfigError("a caption has no probabilities", fix="Use predict().")

    def table(self, outputs: Array, context: Mapping[str, Any]) -> list[list[Any]]:
        """The text."""
        return [self.decode(outputs, context).tolist()]

    def types(self) -> list[str]:
        """A text."""
        return ["string"]
