"""Early stopping under several objectives: asynchronous successive halving by non-dominated rank. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lepton_automl import front


def rungs(first: int, last: int, eta: int = 2) -> tuple[int, ...]:
    """The epochs at which candidates are compared: first, first * eta, ... below last.

    Args:
        first: The first rung, at least 1.
        last: Epochs of a full training; never a rung, as nothing is left to save.
        eta: One in `eta` candidates goes on.
    """
    epochs, rung = [], max(1, first)
    while rung < last:
        epochs.append(rung)
        rung *= eta
    return tuple(epochs)


def is_promoted(costs: Sequence[float], others: Sequence[Sequence[float]], eta: int = 2) -> bool:
    """Whether a candidate is among the best 1/eta at its rung, or is dominated by none of the others.

    Candidates are ordered by non-dominated rank, ties by crowding distance: of the last rank that fits, the least crowded
    go on. Non-dominated candidates always do, as they may lie on the final front (Li et al., Massively Parallel
    Hyperparameter Tuning, 2020; Schmucker et al., Multi-objective Asynchronous Successive Halving, 2021).

    Args:
        costs: The candidate's objectives at this rung, to be minimised, shape (objectives,).
        others: The same of all candidates that reached this rung before, shape (candidates, objectives).
        eta: One in `eta` candidates goes on.
    """
    table = np.array([*others, costs], dtype=np.float64)
    places = -(-len(table) // eta)
    rank = front.ranks(table)
    mine = rank[-1]
    if mine == 0:
        return True
    better = sum(other < mine for other in rank)
    if better >= places:
        return False
    peers = [row for row, other in enumerate(rank) if other == mine]
    if better + len(peers) <= places:
        return True
    distances = front.crowding(table[peers])
    ahead = sum(distance > distances[-1] for distance in distances[:-1])
    return better + ahead < places
