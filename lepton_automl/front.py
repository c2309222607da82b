"""Dominance, hypervolume and choice among models. Pure functions over rows of numbers, every column to be minimised.

Callers turn a score that should rise into a cost (`Objective.cost`), so that there is one direction in here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # NumPy is imported where it is used: `lepton status` does without
    import numpy as np
    from numpy.typing import NDArray

    Costs = NDArray[np.float64]


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether `a` is nowhere worse than `b` and somewhere better."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def front(costs: Costs) -> list[int]:
    """Indices of the rows that no other row dominates, in order of the first column; of equal rows the first.

    Args:
        costs: Shape (rows, objectives); rows with a NaN never stand on the front.
    """
    kept: list[int] = []
    for row in sorted(range(len(costs)), key=lambda i: (*costs[i], i)):
        if any(map(math.isnan, costs[row])):
            continue
        # In lexicographic order only an earlier row can dominate a later one.
        if not any((costs[other] <= costs[row]).all() for other in kept):
            kept.append(row)
    return kept


def ranks(costs: Costs | Sequence[Sequence[float]]) -> list[int]:
    """The number of the front each row stands on, 0 being best (non-dominated sorting).

    In lexicographic order a row is dominated only by earlier ones; it stands on the first front whose members do not
    dominate it, found by bisection (Zhang et al., Efficient Non-dominated Sort, 2015). With two objectives only the last
    member of each front can dominate: O(n log n).

    Args:
        costs: Shape (rows, objectives); rows with a NaN stand behind all others.
    """
    rows = [tuple(map(float, row)) for row in costs]
    order = sorted((n for n, row in enumerate(rows) if not any(map(math.isnan, row))), key=rows.__getitem__)
    rank, fronts = [-1] * len(rows), list[list[tuple[float, ...]]]()
    for n in order:
        low, high = 0, len(fronts)
        while low < high:
            middle = (low + high) // 2
            if _beaten(rows[n], fronts[middle]):
                low = middle + 1
            else:
                high = middle
        if low == len(fronts):
            fronts.append([])
        rank[n] = low
        fronts[low].append(rows[n])
    return [len(fronts) if one < 0 else one for one in rank]


def _beaten(row: tuple[float, ...], members: list[tuple[float, ...]]) -> bool:
    """Whether a row is dominated by a front whose members come before it in lexicographic order."""
    if len(row) <= 2:
        last = members[-1]  # of two objectives, the second falls from member to member
        return last != row and last[-1] <= row[-1]
    return any(dominates(member, row) for member in reversed(members))


def crowding(costs: Costs) -> list[float]:
    """The crowding distance of each row among its like (Deb et al., NSGA-II, 2002); larger is lonelier."""
    import numpy as np

    total = np.zeros(len(costs))
    for column in costs.T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]] or 1.0
        total[order[0]] = total[order[-1]] = math.inf
        if len(order) > 2:
            total[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return [float(value) for value in total]


def hypervolume(costs: Costs, reference: Sequence[float]) -> float:
    """The volume that the rows dominate, up to a reference point.

    Args:
        costs: Shape (rows, objectives).
        reference: The worst corner; rows beyond it count for nothing.
    """
    import numpy as np

    inside = costs[(costs < np.asarray(reference)).all(axis=1)] if len(costs) else costs
    if not len(inside):
        return 0.0
    if inside.shape[1] == 1:
        return float(reference[0] - inside.min())
    volume, rows = 0.0, inside[np.argsort(inside[:, -1], kind="stable")]
    tops = [*rows[1:, -1], reference[-1]]
    for n, (row, top) in enumerate(zip(rows, tops, strict=True), 1):
        if top > row[-1]:  # a slab of this height is dominated by all the rows below it
            volume += hypervolume(rows[:n, :-1], reference[:-1]) * (top - row[-1])
    return float(volume)


def knee(costs: Costs | Sequence[Sequence[float]]) -> int:
    """The row of a front where a further gain in one objective begins to cost too much of the other.

    The point furthest below the straight line between the two ends, each axis scaled to its span (after
    Branke et al., Finding Knees in Multi-objective Optimization, 2004). Take logarithms first where ratios matter.

    Args:
        costs: Shape (rows, objectives); the first two columns are looked at.
    """
    axes = [[float(row[axis]) for row in costs] for axis in (0, 1)]
    spans = [max(axis) - min(axis) for axis in axes]
    if len(costs) < 3 or 0 in spans:
        return axes[0].index(min(axes[0]))
    scaled = [sum((row[axis] - min(axes[axis])) / spans[axis] for axis in (0, 1)) for row in zip(*axes, strict=True)]
    return scaled.index(min(scaled))
