"""What an earlier study teaches a new one: what to try first, and which knobs made for good scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from lepton_automl.space import Config, Space
from lepton_automl.specs import PriorTrial
from lepton_automl.state import StudyState

from .forest import Forest

Array = NDArray[np.float64]

MOST = 200  # prior trials that are taken from one study, the front's and the latest
DESIGNS = 6  # of its front that are tried first
ALIKE = 0.5  # share of a space's knobs that networks of the same family have at least
LEAST = 8  # prior trials before anything is said about others


def prior_trials(earlier: StudyState, space: Space) -> tuple[PriorTrial, ...]:
    """What an earlier study tried, as far as a new space knows its knobs; empty where it is of another family.

    A table's study and one of images share the training's knobs alone; learning from those was seen to do harm.

    Args:
        earlier: The earlier study, ended or not.
        space: The new study's knobs.
    """
    goal = earlier.settings.objectives[0]
    known = [(trial, goal.cost(earlier.last_score(trial))) for trial in earlier.trials.values() if trial.result]
    told = [(trial, cost) for trial, cost in known if math.isfinite(cost)]
    costs = np.sort([cost for _, cost in told])
    front = {trial.number for trial in earlier.front()}
    told = [one for number, one in enumerate(told) if one[0].number in front or number >= len(told) - MOST]
    found = []
    for trial, cost in told:
        config = space.allowed(trial.proposed.config)
        if len(config) >= ALIKE * len(space):
            standing = float(np.searchsorted(costs, cost)) / max(1, len(costs) - 1)
            name = earlier.settings.name
            found.append(PriorTrial(study=name, config=config, standing=standing, on_front=trial.number in front))
    return tuple(found)


def warm_start_designs(known: Sequence[PriorTrial], space: Space, usual: Sequence[Config]) -> list[Config]:
    """What to try first: the earlier front's networks, evenly spread over it, in turn with the usual designs.

    In turn, so that a study that was not like this one costs little.
    """
    front = sorted((one for one in known if one.on_front), key=lambda one: one.standing)
    picked = dict.fromkeys(round(place) for place in np.linspace(0, len(front) - 1, min(DESIGNS, len(front))))
    earlier = [space.nearest(front[place].config) for place in picked]
    return [one for pair in zip_longest(earlier, usual) for one in pair if one is not None]


class Prior:
    """Where a configuration would have stood in the earlier studies; a number that a search learns to trust or not.

    As one more feature of the surrogate it may help and hardly harm (two-stage transfer surrogates: Wistuba et al.,
    Scalable Gaussian process-based transfer surrogates for hyperparameter optimization, 2018).

    Args:
        known: What was tried.
        encode: Turns configurations into numbers.
        seed: Seeds the trees.
    """

    def __init__(self, known: Sequence[PriorTrial], encode: Callable[[Sequence[Config]], Array], *, seed: int = 0) -> None:
        self._encode = encode
        standings = np.array([one.standing for one in known])
        self._forest = Forest(encode([one.config for one in known]), standings, seed=seed) if len(known) >= LEAST else None

    def standings(self, configs: Sequence[Config]) -> Array:
        """Shape (configs, 1), from 0, among the best, to 1; shape (configs, 0) where nothing is known."""
        if self._forest is None:
            return np.empty((len(configs), 0))
        return self._forest.predict(self._encode(configs))[0][:, None]
