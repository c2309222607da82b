"""A detector of changes in the bins of features: bets against the rows so far, in one mixture."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from lepton_automl.arrays import Array

from .bets import Bet, Bettor
from .bins import FeatureProfile
from .mixture import LOOK, Detection, Mixture

ENOUGH = 20000  # rows, after which the profile's own uncertainty no longer matters
GROWTH = 0.2  # new rows, as a share of those known, after which the bets are placed anew
MOST_CELLS = 2_000_000  # rows times bets that are computed at once
RECENT = 2000  # rows whose bins are kept, to show what was seen


class Detector:
    """Watches the bins of several features for any of the bets on them.

    Args:
        features: The features.
        bettor: The bets on a feature; there may be none.
        rate: The share of windows of 500 rows with a false alarm.
        together: Whether a change of one feature changes the others.
    """

    def __init__(self, features: Sequence[FeatureProfile], bettor: Bettor, rate: float, *, together: bool = False) -> None:
        self._bettor = bettor
        self._known = KnownRows(tuple(features))
        self._mixture = Mixture(rate, together=together)
        self._pending = np.zeros((0, len(features)), np.int64)
        self._recent: deque[Array] = deque()
        self._recent_rows = 0
        self._place_bets()

    @property
    def features(self) -> tuple[FeatureProfile, ...]:
        """The features in all rows that are bet against."""
        return self._known.features

    @property
    def has_bets(self) -> bool:
        """Whether there is anything to watch."""
        return bool(self.bets)

    @property
    def threshold(self) -> float:
        """The evidence at which an alarm is raised."""
        return self._mixture.threshold

    def _place_bets(self) -> None:
        by_feature = [self._bettor(feature) for feature in self._known.features]
        self.bets: list[Bet] = [bet for one in by_feature for bet in one]
        self._tables = {place: np.stack([bet.log for bet in one], axis=1) for place, one in enumerate(by_feature) if one}
        names = [(place, bet.change, bet.size) for place, one in enumerate(by_feature) for bet in one]
        sums = [sum(bet.weight for bet in one) for one in by_feature]
        weights = [bet.weight / total for one, total in zip(by_feature, sums, strict=True) for bet in one]
        self._mixture.place(names, np.asarray(weights))

    def reset(self) -> None:
        """Forget all evidence."""
        self._mixture.reset(len(self._pending))
        self._pending = self._pending[:0]

    def update(self, bins: Array) -> list[tuple[Detection, Bet]]:
        """Watch some rows; after a detection, watching starts anew.

        Args:
            bins: The bin of each feature, [N, features].

        Returns:
            What was detected, each with the strongest bet.
        """
        if not self.has_bets:
            return []
        pending = np.concatenate([self._pending, bins])
        self._remember(bins)
        found: list[tuple[Detection, Bet]] = []
        start = 0
        while len(pending) - start >= LOOK:
            most = max(MOST_CELLS // len(self.bets) // LOOK * LOOK, LOOK)
            pause = max(self._mixture.pause // LOOK * LOOK, LOOK) if self._mixture.pause > 0 else most
            stop = start + min((len(pending) - start) // LOOK * LOOK, self._known.room, most, pause)
            found += self._watch(pending[start:stop])
            start = stop
        self._pending = pending[start:]
        return found

    def _remember(self, bins: Array) -> None:
        self._recent.append(bins)
        self._recent_rows += len(bins)
        while self._recent_rows - len(self._recent[0]) >= RECENT:
            self._recent_rows -= len(self._recent.popleft())

    def seen(self, feature: int, since: int) -> Array:
        """How many recent rows, from some row on, are in each bin of a feature."""
        rows = max(self._mixture.row + len(self._pending) - since, 1)
        recent = np.concatenate([bins[:, feature] for bins in self._recent])
        return np.bincount(recent[-rows:], minlength=len(self._known.features[feature].counts))

    def _watch(self, bins: Array) -> list[tuple[Detection, Bet]]:
        """Watch rows that all have the same bets."""
        first = self._mixture.row
        ratios = np.concatenate([table[bins[:, place]] for place, table in self._tables.items()], axis=1)
        was_paused = self._mixture.pause > 0
        found = [(one, self.bets[one.bet]) for one in self._mixture.update(ratios)]
        # While a change lasts, rows are not taken for normal.
        learned = not found and not was_paused and self._known.add(bins, first)
        changed = self._known.forget(found[0][0].since) if found else learned
        if changed:
            self._place_bets()
        return found


class KnownRows:
    """The training rows, and rows since that no alarm was raised on, as counts of bins.

    A profile of few rows differs from the data by chance, and a long stream would show it. What arrives is therefore compared with
    all rows before it, as conformal test martingales do (Vovk, Petej and Fedorova 2021), until there are `ENOUGH`.

    Args:
        features: The features in the training rows.
    """

    def __init__(self, features: tuple[FeatureProfile, ...]) -> None:
        self.features = features
        self._kept = [(0, features)]  # each with the first row that is not in them
        self._added: list[Array] = []
        self._rows = 0

    @property
    def _fewest(self) -> int:
        return min((feature.rows for feature in self.features), default=ENOUGH)

    @property
    def room(self) -> int:
        """The most rows to watch before the features are brought up to date: a multiple of `LOOK`."""
        if self._fewest >= ENOUGH:
            return ENOUGH
        return max(int(self._fewest * GROWTH - self._rows) // LOOK * LOOK, LOOK)

    def add(self, bins: Array, first: int) -> bool:
        """Add rows.

        Args:
            bins: Their bins, [N, features].
            first: The number of rows before them.

        Returns:
            Whether the features changed.
        """
        if self._fewest >= ENOUGH:
            return False
        self._added.append(bins)
        self._rows += len(bins)
        if self._rows < self._fewest * GROWTH - LOOK:
            return False
        columns = np.concatenate(self._added).T
        counts = [np.bincount(bins, minlength=len(one.counts)) for one, bins in zip(self.features, columns, strict=True)]
        self.features = tuple(one.with_rows(added) for one, added in zip(self.features, counts, strict=True))
        self._kept.append((first + len(bins), self.features))
        self._clear()
        return True

    def forget(self, since: int) -> bool:
        """Forget the rows from some row on, as they look different; returns whether the features changed."""
        kept = [one for one in self._kept if one[0] <= since] or self._kept[:1]
        changed = len(kept) < len(self._kept)
        self._kept, self.features = kept, kept[-1][1]
        self._clear()
        return changed

    def _clear(self) -> None:
        self._added = []
        self._rows = 0
