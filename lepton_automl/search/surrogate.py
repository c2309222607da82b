"""What a configuration will cost, learnt from those that were tried: extremely randomised trees over knobs and shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lepton_automl.space import Config, Hyperparameter, Space

from .forest import Forest, cap

Array = NDArray[np.float64]


class Surrogate:
    """Predicts the costs of configurations.

    Args:
        features: Shape (tried, features).
        costs: Shape (tried, objectives); NaN where one is not known.
        seed: Seeds the trees.
    """

    def __init__(self, features: Array, costs: Array, *, seed: int = 0) -> None:
        self._forests = []
        for column in costs.T:
            known = np.isfinite(column)
            self._forests.append(Forest(features[known], np.minimum(column[known], cap(column[known])), seed=seed))

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and deviation of each cost over the trees, each of shape (candidates, objectives)."""
        told = [forest.predict(features) for forest in self._forests]
        return np.column_stack([mean for mean, _ in told]), np.column_stack([deviation for _, deviation in told])


def encode(space: Space, config: Config, shape: Sequence[float] = ()) -> list[float]:
    """A configuration as numbers: each knob from 0 to 1, choices that are no numbers one by one, then the shape's numbers."""
    return [number for name, knob in space.items() for number in _numbers(knob, config[name])] + list(shape)


def _numbers(knob: Hyperparameter, setting: object) -> list[float]:
    if knob.choices:
        if len(knob.choices) < 2:
            return []
        if all(isinstance(choice, int | float) for choice in knob.choices):
            return [knob.choices.index(setting) / (len(knob.choices) - 1)]
        return [float(setting == choice) for choice in knob.choices]
    assert knob.low is not None and knob.high is not None and isinstance(setting, int | float)
    if knob.log:
        return [math.log(setting / knob.low) / math.log(knob.high / knob.low)]
    return [(setting - knob.low) / (knob.high - knob.low)]
