"""Early stopping under several objectives: asynchronous successive halving by non-dominated rank. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lepton_automl import front


def rungs(first: int, last: int, eta: int = 2) -> tuple[int, ...]:
    """The epochs at which candidates are compared: first, first * eta, ... below last.

    Args:
        first: The first rung, at least 1.
        last: Epochs of a whole training; never a rung, as nothing is left to save.
        eta: One in so many goes on.
    """
    found, rung = [], max(1, first)
    while rung < last:
        found.append(rung)
        rung *= eta
    return tuple(found)


def is_promoted(costs: Sequence[float], others: Sequence[Sequence[float]], eta: int = 2) -> bool:
    """Whether a candidate stands in the best 1/eta of those that reached its rung, or is beaten by none of them.

    By non-dominated rank, ties by crowding distance: the candidates of the last rank that fits go on when they are
    lonely. What nobody beats may stand on the front that is looked for, however crowded it is there (Li et al., Massively Parallel Hyperparameter Tuning, 2020; Schmucker et al., Multi-objective Asynchronous
    Successive Halving, 2021).

    Args:
        costs: The candidate's objectives at this rung, to be minimised.
        others: The same of all that were at this rung before.
        eta: One in so many goes on.
    """
    table = np.array([*others, costs], dtype=np.float64)
    places = -(-len(table) // eta)
    rank = front.ranks(table)
    mine = rank[-1]
    if mine == 0:
        return True
    better = sum(one < mine for one in rank)
    if better >= places:
        return False
    peers = [row for row, one in enumerate(rank) if one == mine]
    if better + len(peers) <= places:
        return True
    lonely = front.crowding(table[peers])
    ahead = sum(one > lonely[-1] for one in lonely[:-1])
    return better + ahead < places
