"""Hypervolume curves, who leads at which budget, and the significance of the lead."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .landscape import Landscape
from .recorded import Moment

Axis = Literal["epochs", "seconds"]
STEP, FIRST = 0.05, 0.10  # budget points: shares of plain TPE's budget
REACHED = 0.99  # of plain TPE's final hypervolume
AT_CEILING = 0.999  # of the hypervolume of all fresh rows: two searches above it tie, as neither can improve
CERTAIN = 0.05  # the error rate over the whole family of comparisons


@dataclass(frozen=True)
class Curve:
    """The hypervolume of one run as a step function of the used budget."""

    spent: dict[Axis, NDArray[np.float64]]
    volumes: NDArray[np.float64]

    @classmethod
    def of(cls, landscape: Landscape, moments: Iterable[Moment]) -> Curve:
        """The volume after every fully trained row; stopped trials do not count."""
        whole: list[int] = []
        spent: dict[Axis, list[float]] = {"epochs": [0.0], "seconds": [0.0]}
        volumes, reached = [0.0], 0.0
        for moment in moments:
            if moment.row is not None:
                whole.append(moment.row)
                reached = landscape.volume(whole)
            spent["epochs"].append(moment.epochs)
            spent["seconds"].append(moment.seconds)
            volumes.append(reached)
        return cls({axis: np.array(values) for axis, values in spent.items()}, np.array(volumes))

    def at(self, axis: Axis, amount: float) -> float:
        """The volume after this amount was spent."""
        return float(self.volumes[np.searchsorted(self.spent[axis], amount, side="right") - 1])

    def first(self, axis: Axis, volume: float) -> float:
        """The amount spent when this volume was reached; infinite if it never was."""
        reached = np.flatnonzero(self.volumes >= volume)
        return float(self.spent[axis][reached[0]]) if len(reached) else math.inf


class Contest:
    """All runs on one table over one axis, relative to plain TPE's budget and final hypervolume.

    Args:
            landscape: The table.
            axis: The kind of budget.
            curves: Runs by contestant, in the order of the seeds.
            yardstick: The contestant whose budget and final hypervolume (median over seeds) are 1.
    """

    def __init__(self, landscape: Landscape, axis: Axis, curves: Mapping[str, Sequence[Curve]], yardstick: str) -> None:
        self._axis: Axis = axis
        self._curves = curves
        ends = [curve.spent[axis][-1] for curve in curves[yardstick]]
        self.budget = float(landscape.budget if axis == "epochs" else np.median(ends))
        self.final = float(np.median([curve.volumes[-1] for curve in curves[yardstick]]))
        self.ceiling = landscape.ceiling / self.final

    def at(self, name: str, share: float) -> NDArray[np.float64]:
        """Volumes at a share of the budget, one per seed."""
        return np.array([curve.at(self._axis, share * self.budget) for curve in self._curves[name]]) / self.final

    def median(self, name: str, share: float) -> float:
        return float(np.median(self.at(name, share)))

    def needed(self, name: str) -> float:
        """The share of the budget at which 0.99 of the yardstick's final volume is reached, median over seeds."""
        return float(np.median([curve.first(self._axis, REACHED * self.final) for curve in self._curves[name]])) / self.budget

    def points(self, peers: Iterable[str]) -> list[float]:
        """Shares of the budget from 10 % on, up to the first at which the best peer's median reaches 0.99."""
        names, points = list(peers), []
        for step in range(round((1 - FIRST) / STEP) + 1):
            points.append(round(FIRST + step * STEP, 2))
            if any(self.median(name, points[-1]) >= REACHED for name in names):
                break
        return points


def p_ahead(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """One-sided paired Wilcoxon test over seeds that ours is ahead."""
    apart = ours - theirs
    return float(stats.wilcoxon(apart, alternative="greater").pvalue) if apart.any() else 1.0


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction over a family of tests (Holm, 1979)."""
    corrected, worst = [1.0] * len(ps), 0.0
    for place, hypothesis in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        worst = max(worst, min(1.0, (len(ps) - place) * ps[hypothesis]))
        corrected[hypothesis] = worst
    return corrected


@dataclass(frozen=True)
class Point:
    """One comparison: a table, a peer and a budget."""

    table: str
    peer: str
    share: float
    ahead: float
    tie: bool
    p: float

    @property
    def won(self) -> bool:
        return self.tie or self.p < CERTAIN


def duels(contests: Mapping[str, Contest], champion: str, peers: Sequence[str]) -> list[Point]:
    """Compare with every peer at every budget point of every table, corrected as one family of tests.

    A tie at the ceiling means that both medians are within 0.1 % of the hypervolume of all fresh rows.
    """
    points = []
    for table, contest in contests.items():
        for share in contest.points(peers):
            ours = contest.at(champion, share)
            for peer in peers:
                theirs = contest.at(peer, share)
                tie = min(np.median(ours), np.median(theirs)) >= AT_CEILING * contest.ceiling
                ahead = float(np.median(ours) - np.median(theirs))
                points.append(Point(table, peer, share, ahead, bool(tie), p_ahead(ours, theirs)))
    corrected = holm([point.p for point in points])
    return [
        Point(point.table, point.peer, point.share, point.ahead, point.tie, p)
        for point, p in zip(points, corrected, strict=True)
    ]
