"""Hill climbing: one hyperparameter of the best configuration is drawn anew."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from lepton_automl.objective import Objective
from lepton_automl.search.sampler import NO_PINS, Observation, Pins
from lepton_automl.space import Config, Space


class ClimbingSampler:
    """Climbs by the first objective, from the defaults."""

    forecast = False
    first_designs = False

    def __init__(
        self, space: Space, objectives: tuple[Objective, ...], *, seed: int, hyperparameters: Sequence[str] = ()
    ) -> None:
        self._space, self._goal, self._seed = space, objectives[0], seed
        self._observations: list[Observation] = []

    def tell(self, observation: Observation) -> None:
        """Keep it."""
        self._observations.append(observation)

    def relearn(self, observations: Iterable[Observation]) -> None:
        """Keep these instead."""
        self._observations = list(observations)

    def ask(self, number: int, count: int = 1, pinned: Pins = NO_PINS) -> list[Config]:
        """Neighbours of the best configuration within the limits."""
        rng, best = random.Random(f"{self._seed}:{number}"), self._best()
        return [best | self._changed(rng) | dict(pinned) for _ in range(count)]

    def _best(self) -> Config:
        if not self._observations:
            return self._space.defaults
        return min(self._observations, key=lambda known: (known.violation, self._goal.cost(known.values[0]))).config

    def _changed(self, rng: random.Random) -> Config:
        name = rng.choice(sorted(self._space))
        return {name: self._space[name].sample(rng)}
