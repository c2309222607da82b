"""What a configuration will cost, learnt from those that were tried: extremely randomised trees over knobs and shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

from lepton_automl.space import Config, Knob, Space

Array = NDArray[np.float64]

TREES = 40


class Surrogate:
    """Predicts the costs of configurations (Geurts et al., Extremely Randomized Trees, 2006; as in SMAC, Hutter et al., 2011).

    Args:
        features: Shape (tried, features).
        costs: Shape (tried, objectives); NaN where one is not known.
        seed: Seeds the trees.
    """

    def __init__(self, features: Array, costs: Array, *, seed: int = 0) -> None:
        self._trees = []
        for column in costs.T:
            known = np.isfinite(column)
            forest = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=seed)
            self._trees.append(forest.fit(features[known], _tamed(column[known])))

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and deviation of each cost over the trees, each of shape (candidates, objectives)."""
        rows = features.astype(np.float32)  # what the trees themselves take: their checked door costs ten times as much
        told = [[tree.tree_.predict(rows).ravel() for tree in forest.estimators_] for forest in self._trees]
        each = np.array(told)  # objectives, trees, candidates
        return each.mean(axis=1).T, each.std(axis=1).T


def _tamed(costs: Array) -> Array:
    """Costs with those that are far worse than most brought near: how bad a failure is teaches nothing."""
    middle, high = np.quantile(costs, [0.5, 0.9])
    tamed: Array = np.minimum(costs, high + (high - middle))
    return tamed


def encode(space: Space, config: Config, shape: Sequence[float] = ()) -> list[float]:
    """A configuration as numbers: each knob from 0 to 1, choices that are no numbers one by one, then the shape's numbers."""
    return [number for name, knob in space.items() for number in _numbers(knob, config[name])] + list(shape)


def _numbers(knob: Knob, setting: object) -> list[float]:
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
