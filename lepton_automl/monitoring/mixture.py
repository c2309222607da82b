"""Sequential detection with a stated false-alarm rate: a mixture of Shiryaev-Roberts statistics over bets.

For one bet with the likelihood ratios L(1), L(2), ... the statistic is R(n) = (R(n - 1) + 1) L(n): the evidence for a change, added
up over all rows at which it may have begun. While nothing has changed, the mean of R(n) - n is zero, and so is that of a weighted
mean of such statistics of any bets on any features, dependent or not. An alarm at R >= T therefore takes T rows on average or
more, however often one looks (Shiryaev 1963; Shin, Ramdas and Rinaldo 2023 call it an e-detector). Rows are assumed to be drawn
independently.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lepton_automl.arrays import Array

LOOK = 10  # rows between two looks
WINDOW = 500  # rows in the window that false-alarm rates are stated for
LONGEST_PAUSE = 16 * WINDOW  # rows; each pause after the first is twice as long


@dataclass(frozen=True)
class Detection:
    """What was detected.

    Args:
        bet: The index of the strongest bet, among all.
        owner: The index of the feature that it is on.
        owners: Indices of all features with enough evidence of their own, the strongest first.
        since: The row at which the change most likely began.
        row: The number of rows that had been watched.
        evidence: The logarithm of the statistic.
    """

    bet: int
    owner: int
    owners: tuple[int, ...]
    since: int
    row: int
    evidence: float


class Mixture:
    """The evidence of several bets, and their mean.

    After a detection all evidence is forgotten, and the features that changed are not watched for a while: a change that lasts would
    be detected again at every look, and hide others.

    Args:
        rate: The share of windows of `WINDOW` rows with a false alarm.
        together: Whether a change of one feature changes the others, so that all are not watched for a while.
    """

    def __init__(self, rate: float, *, together: bool = False) -> None:
        self._together = together
        self.threshold = float(np.log(WINDOW / rate))
        self.row = 0
        self._paused: dict[int, tuple[int, int]] = {}  # of each feature: until which row it is not watched, and how long
        self._names: list[tuple[int, str, float]] = []
        self._owner = np.zeros(0, np.int64)
        self._log_weights = np.zeros(0)
        self.reset()

    def place(self, names: Sequence[tuple[int, str, float]], weights: Array) -> None:
        """Set the bets; the evidence of those that were there before is kept, and new ones begin with none.

        Args:
            names: Of the bets, without repetition: each begins with the index of the feature that it is on.
            weights: Of the bets; they are scaled to add up to 1.
        """
        before = {name: place for place, name in enumerate(self._names)}
        kept = [(new, before[name]) for new, name in enumerate(names) if name in before]
        known = self._evidence, self._best, self._began
        self._names = list(names)
        self._owner = np.array([name[0] for name in names], np.int64)
        self._log_weights = np.log(weights / weights.sum()) if len(weights) else np.zeros(0)
        self.reset()
        if kept:
            new_places, old_places = (np.array(places) for places in zip(*kept, strict=True))
            for new, old in zip((self._evidence, self._best, self._began), known, strict=True):
                new[new_places] = old[old_places]

    def reset(self, skipped: int = 0) -> None:
        """Forget all evidence, and watch on, with the same features paused.

        Args:
            skipped: Rows that have arrived and are not to be watched.
        """
        self.row += skipped
        count = len(self._names)
        self._evidence = np.full(count, -np.inf)
        self._best = np.zeros(count)  # the largest log-likelihood ratio over all beginnings: Page's statistic
        self._began = np.full(count, self.row, np.int64)

    @property
    def pause(self) -> int:
        """Rows until all features are watched again; 0 if they are."""
        return max([until - self.row for until, _ in self._paused.values()], default=0)

    @property
    def evidence(self) -> float:
        """The logarithm of the statistic; an alarm is raised when it reaches `threshold`."""
        return log_sum(self._evidence + self._log_weights)

    def update(self, log_ratios: Array) -> list[Detection]:
        """Watch some rows.

        Args:
            log_ratios: The logarithm of each bet's likelihood ratio, [N, bets]; N is a multiple of `LOOK`.
        """
        if not log_ratios.shape[1]:
            self.row += len(log_ratios)
            return []
        increments = log_ratios.reshape(-1, LOOK, log_ratios.shape[1]).sum(1)
        found: list[Detection] = []
        while len(increments):
            ends = [until for until, _ in self._paused.values() if until > self.row]
            looks = (min(ends) - self.row) // LOOK if ends else len(increments)
            increments = increments[self._advance(increments[: max(looks, 1)], found) :]
        return found

    def _advance(self, increments: Array, found: list[Detection]) -> int:
        """Watch looks until the first detection, or all of them; returns how many were watched."""
        total = np.cumsum(increments, axis=0)
        before = np.concatenate([np.zeros((1, total.shape[1])), total[:-1]])  # the sum before each look
        starts = np.log(LOOK) - before
        starts[0] = np.logaddexp(self._evidence, np.log(LOOK))
        silent = np.isin(self._owner, [owner for owner, (until, _) in self._paused.items() if until > self.row])
        starts[:, silent] = -np.inf
        evidence = total + np.logaddexp.accumulate(starts, axis=0)
        means = log_sums(evidence + self._log_weights)
        crossed = np.flatnonzero(means >= self.threshold)
        looks = int(crossed[0]) + 1 if len(crossed) else len(increments)
        self._evidence = evidence[looks - 1]
        self._follow_best(total[:looks], before[:looks])
        self.row += looks * LOOK
        if len(crossed):
            found.append(self._detection())
            changed = {found[-1].owner, *found[-1].owners}
            self._pause(np.unique(self._owner).tolist() if self._together else changed)
            self.reset()
        return looks

    def _pause(self, owners: Iterable[int]) -> None:
        for owner in owners:
            until, pause = self._paused.get(owner, (-WINDOW, 0))
            lasts = self.row - until < WINDOW
            pause = min(2 * pause, LONGEST_PAUSE) if lasts else WINDOW
            self._paused[owner] = (self.row + pause, pause)

    def _follow_best(self, total: Array, before: Array) -> None:
        """Bring Page's statistics, and the rows at which their changes began, up to date."""
        lowest = np.minimum.accumulate(np.minimum(before, -np.maximum(self._best, 0)), axis=0)
        begins = before <= lowest
        begins[0] = self._best <= 0
        latest = len(begins) - 1 - np.argmax(begins[::-1], axis=0)
        self._began = np.where(begins.any(0), self.row + latest * LOOK, self._began)
        self._best = total[-1] - lowest[-1]

    def _detection(self) -> Detection:
        strength = self._evidence + self._log_weights
        owner = int(self._owner[np.argmax(strength)])
        own = np.flatnonzero(self._owner == owner)
        best = int(own[np.argmax(self._best[own])])
        return Detection(best, owner, self._discoveries(strength), int(self._began[best]), self.row, self.evidence)

    def _discoveries(self, strength: Array) -> tuple[int, ...]:
        """Features with enough evidence: the k-th largest needs the k-th part of what one alone needs.

        It is the rule of the e-BH procedure (Wang and Ramdas 2022), which allows dependent features; at least one is returned.
        """
        owners = np.unique(self._owner)
        each = np.array([self._own_evidence(strength, owner) for owner in owners])
        order = np.argsort(-each, kind="stable")
        needed = self.threshold + np.log(len(owners)) - np.log(np.arange(1, len(owners) + 1))
        passed = np.flatnonzero(each[order] >= needed)
        count = int(passed[-1]) + 1 if len(passed) else 1
        return tuple(int(owner) for owner in owners[order[:count]])

    def _own_evidence(self, strength: Array, owner: int) -> float:
        own = self._owner == owner
        return log_sum(strength[own]) - log_sum(self._log_weights[own])


def log_sums(values: Array) -> Array:
    """The logarithm of the sum of exponentials of each row, [N]; minus infinity where all are."""
    top = np.maximum(values.max(1), -1e300)
    return np.asarray(top + np.log(np.maximum(np.exp(values - top[:, None]).sum(1), 1e-300)))


def log_sum(values: Array) -> float:
    """The logarithm of the sum of exponentials; minus infinity for none."""
    top = values.max(initial=-np.inf)
    return float(top + np.log(np.exp(values - top).sum())) if np.isfinite(top) else float(top)
