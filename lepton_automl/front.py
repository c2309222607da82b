"""Dominance, hypervolume and the knee of a Pareto front: pure functions over rows of costs, every column minimised.

Callers turn a score to be maximised into a cost first (`Objective.cost`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # NumPy is imported where it is used, as `lepton status` does not need it
    import numpy as np
    from numpy.typing import NDArray

    Costs = NDArray[np.float64]


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether `a` is at least as good as `b` in every objective and better in one."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def front(costs: Costs) -> list[int]:
    """Indices of the rows that no other row dominates, in order of the first column; of equal rows the first.

    Args:
        costs: Shape (rows, objectives); rows with a NaN are never on the front.
    """
    rows: list[int] = []
    for row in sorted(range(len(costs)), key=lambda i: (*costs[i], i)):
        if any(map(math.isnan, costs[row])):
            continue
        # In lexicographic order only an earlier row can dominate a later one.
        if not any((costs[other] <= costs[row]).all() for other in rows):
            rows.append(row)
    return rows


def ranks(costs: Costs | Sequence[Sequence[float]]) -> list[int]:
    """The non-dominated rank of each row, 0 for the front (non-dominated sorting).

    In lexicographic order a row is dominated only by earlier ones; it belongs to the first front whose members do not
    dominate it, found by bisection (Zhang et al., Efficient Non-dominated Sort, 2015). With two objectives only the last
    member of each front can dominate: O(n log n).

    Args:
        costs: Shape (rows, objectives); rows with a NaN rank behind all others.
    """
    rows = [tuple(map(float, row)) for row in costs]
    order = sorted((n for n, row in enumerate(rows) if not any(map(math.isnan, row))), key=rows.__getitem__)
    rank, fronts = [-1] * len(rows), list[list[tuple[float, ...]]]()
    for n in order:
        low, high = 0, len(fronts)
        while low < high:
            middle = (low + high) // 2
            if _dominated(rows[n], fronts[middle]):
                low = middle + 1
            else:
                high = middle
        if low == len(fronts):
            fronts.append([])
        rank[n] = low
        fronts[low].append(rows[n])
    return [len(fronts) if level < 0 else level for level in rank]


def _dominated(row: tuple[float, ...], members: list[tuple[float, ...]]) -> bool:
    """Whether a row is dominated by a front whose members come before it in lexicographic order."""
    if len(row) <= 2:
        last = members[-1]  # with two objectives, the second decreases from member to member
        return last != row and last[-1] <= row[-1]
    return any(dominates(member, row) for member in reversed(members))


def crowding(costs: Costs) -> list[float]:
    """The crowding distance of each row of one front (Deb et al., NSGA-II, 2002); larger means fewer neighbours."""
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
        reference: The worst point, shape (objectives,); rows beyond it are ignored.
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
        if top > row[-1]:  # all the rows below dominate a slab of this height
            volume += hypervolume(rows[:n, :-1], reference[:-1]) * (top - row[-1])
    return float(volume)


def knee(costs: Costs | Sequence[Sequence[float]]) -> int:
    """The index of the knee of a front: the row beyond which a gain in one objective costs too much of the others.

    It is the point furthest below the straight line (with more objectives, the plane) through the ends, each axis scaled to its
    span (after Branke et al., Finding Knees in Multi-objective Optimization, 2004). Take logarithms first if ratios matter.

    Args:
        costs: Shape (rows, objectives), at least two objectives; one that is equal in all rows does not count.

    Returns:
        The row with the least first cost if there are fewer than three rows, or the first or all others are equal.
    """
    axes = [[float(row[axis]) for row in costs] for axis in range(len(costs[0]))]
    lows, spans = [min(axis) for axis in axes], [max(axis) - min(axis) for axis in axes]
    if len(costs) < 3 or not spans[0] or not any(spans[1:]):
        return axes[0].index(lows[0])
    counted = [axis for axis, span in enumerate(spans) if span]
    scaled = [sum((row[axis] - lows[axis]) / spans[axis] for axis in counted) for row in zip(*axes, strict=True)]
    return scaled.index(min(scaled))
