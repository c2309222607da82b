"""Asynchronous successive halving by non-dominated rank, with rows drawn at random: the effect of rungs only."""

from __future__ import annotations

import math
import random

from lepton_automl.search.stopping import is_promoted, rungs

from .clock import Status, simulate
from .landscape import Deck, Landscape
from .recorded import Moment

ETA = 3


class Rungs:
    """Decides at each rung which trials continue (Schmucker et al., Multi-objective Asynchronous Successive Halving, 2021).

    Args:
            landscape: The table to search.
            first: The first rung.
            eta: One trial in `eta` continues.
    """

    def __init__(self, landscape: Landscape, *, first: int = 1, eta: int = ETA) -> None:
        self._landscape, self._eta = landscape, eta
        self._rungs = rungs(first, landscape.table.epochs, eta)
        self._passed: dict[int, int] = {}
        self._seen: dict[int, list[tuple[float, float]]] = {rung: [] for rung in self._rungs}

    def goes_on(self, row: int, epoch: int) -> bool:
        """Whether a row continues; a rung without a score is postponed until there is a score."""
        passed = self._passed.get(row, 0)
        due = [rung for rung in self._rungs if passed < rung <= epoch]
        costs = self._landscape.costs(self._landscape.rows[row], epoch)
        if not due or not all(map(math.isfinite, costs)):
            return True
        self._passed[row] = due[-1]
        earlier_costs = self._seen[due[-1]]
        promoted = is_promoted(costs, earlier_costs, self._eta)
        earlier_costs.append(costs)
        return promoted


class RandomHalving:
    """Random rows, stopped at rungs."""

    def __init__(self, landscape: Landscape, seed: int) -> None:
        self._space, self._deck = landscape.table.space, Deck(landscape)
        self._rng, self._rungs = random.Random(seed), Rungs(landscape)

    def ask(self) -> int | None:
        return self._deck.draw(self._space.sample(self._rng))

    def hear(self, row: int, epoch: int) -> bool:
        return self._rungs.goes_on(row, epoch)

    def end(self, row: int, epoch: int, status: Status) -> None:
        """Ignored, as random search does not learn from results."""


def halving_random(landscape: Landscape, seed: int, workers: int) -> list[Moment]:
    return simulate(landscape, RandomHalving(landscape, seed), workers=workers)
