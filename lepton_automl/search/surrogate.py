"""A surrogate for the costs of configurations: extremely randomised trees over hyperparameters and network shapes."""

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
        features: Encoded configurations, shape (tried, features).
        costs: Their costs, shape (tried, objectives); NaN if unknown.
        seed: Seeds the trees.
    """

    def __init__(self, features: Array, costs: Array, *, seed: int = 0) -> None:
        self._forests = []
        for column in costs.T:
            known = np.isfinite(column)
            self._forests.append(Forest(features[known], np.minimum(column[known], cap(column[known])), seed=seed))

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of each cost, each of shape (candidates, objectives)."""
        predictions = [forest.predict(features) for forest in self._forests]
        return np.column_stack([mean for mean, _ in predictions]), np.column_stack([deviation for _, deviation in predictions])


def encode(space: Space, config: Config, shape: Sequence[float] = ()) -> list[float]:
    """A configuration as numbers: each hyperparameter scaled to 0..1, categories one-hot, then the numbers of the shape."""
    return [number for name, parameter in space.items() for number in _numbers(parameter, config[name])] + list(shape)


def _numbers(parameter: Hyperparameter, setting: object) -> list[float]:
    if parameter.choices:
        if len(parameter.choices) < 2:
            return []
        if all(isinstance(choice, int | float) for choice in parameter.choices):
            return [parameter.choices.index(setting) / (len(parameter.choices) - 1)]
        return [float(setting == choice) for choice in parameter.choices]
    assert parameter.low is not None and parameter.high is not None and isinstance(setting, int | float)
    if parameter.log:
        return [math.log(setting / parameter.low) / math.log(parameter.high / parameter.low)]
    return [(setting - parameter.low) / (parameter.high - parameter.low)]
