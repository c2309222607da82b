"""Warm start: first designs and a prior on scores, learnt from earlier studies."""

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

MOST = 200  # prior trials taken from one study: those of its front and the latest
DESIGNS = 6  # models of its front that are tried first
ALIKE = 0.5  # least share of the space's hyperparameters that a configuration must have to count as the same family
LEAST = 8  # prior trials below which nothing is predicted


def prior_trials(earlier: StudyState, space: Space) -> tuple[PriorTrial, ...]:
    """The trials of an earlier study, reduced to the new search space; empty if it searched another family.

    Studies of tables and of images share only training hyperparameters, and learning from those alone did harm.

    Args:
        earlier: The earlier study, ended or not.
        space: The new study's search space.
    """
    goal = earlier.settings.objectives[0]
    known = [
        (trial, goal.cost(earlier.last_score(trial)))
        for trial in earlier.trials.values()
        if trial.result and not trial.is_ensemble
    ]
    scored = [(trial, cost) for trial, cost in known if math.isfinite(cost)]
    costs = np.sort([cost for _, cost in scored])
    front = {trial.number for trial in earlier.front(merged=True)}
    scored = [pair for number, pair in enumerate(scored) if pair[0].number in front or number >= len(scored) - MOST]
    prior = []
    for trial, cost in scored:
        config = space.allowed(trial.proposed.config)
        if len(config) >= ALIKE * len(space):
            standing = float(np.searchsorted(costs, cost)) / max(1, len(costs) - 1)
            name = earlier.settings.name
            prior.append(PriorTrial(study=name, config=config, standing=standing, on_front=trial.number in front))
    return tuple(prior)


def warm_start_designs(known: Sequence[PriorTrial], space: Space, usual: Sequence[Config]) -> list[Config]:
    """Designs of the earlier front, evenly spread over it, alternating with the usual designs.

    Alternating limits the loss if the earlier study was a different problem.
    """
    front = sorted((trial for trial in known if trial.on_front), key=lambda trial: trial.standing)
    picked = dict.fromkeys(round(place) for place in np.linspace(0, len(front) - 1, min(DESIGNS, len(front))))
    earlier = [space.nearest(front[place].config) for place in picked]
    return [design for pair in zip_longest(earlier, usual) for design in pair if design is not None]


class Prior:
    """Predicts the rank of a configuration in the earlier studies.

    As one more feature of the surrogate it can help and does little harm (two-stage transfer surrogates: Wistuba et al.,
    Scalable Gaussian process-based transfer surrogates for hyperparameter optimization, 2018).

    Args:
        known: The prior trials.
        encode: Turns configurations into numbers.
        seed: Seeds the trees.
    """

    def __init__(self, known: Sequence[PriorTrial], encode: Callable[[Sequence[Config]], Array], *, seed: int = 0) -> None:
        self._encode = encode
        standings = np.array([trial.standing for trial in known])
        self._forest = Forest(encode([trial.config for trial in known]), standings, seed=seed) if len(known) >= LEAST else None

    def standings(self, configs: Sequence[Config]) -> Array:
        """Predicted ranks from 0, the best, to 1, shape (configs, 1); shape (configs, 0) if nothing is known."""
        if self._forest is None:
            return np.empty((len(configs), 0))
        return self._forest.predict(self._encode(configs))[0][:, None]
