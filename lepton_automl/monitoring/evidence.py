"""What a watcher found: a JSON value, with a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lepton_automl._json import Value
from lepton_automl.arrays import Array

from .bins import FeatureProfile

MOST_NAMES = 5  # further features that a sentence lists


@dataclass(frozen=True, kw_only=True)
class Histogram(Value):
    """Two distributions over the same bins.

    Args:
        labels: The bins.
        expected: The share of training rows in each.
        seen: The share of the rows since the change began.
        rows: The number of these rows.
    """

    labels: tuple[str, ...]
    expected: tuple[float, ...]
    seen: tuple[float, ...]
    rows: int

    @classmethod
    def of(cls, feature: FeatureProfile, seen: Array) -> Histogram:
        """The distributions of a feature, given the number of rows seen in each of its bins."""
        expected = np.asarray(feature.counts, np.float64)
        return cls(
            labels=feature.labels(),
            expected=_shares(expected),
            seen=_shares(np.asarray(seen, np.float64)),
            rows=int(np.sum(seen)),
        )

    def largest_change(self) -> str:
        """The bin whose share changed most, as a sentence's end: `"'rent' 40 % instead of 12 %"`."""
        change = np.abs(np.subtract(self.seen, self.expected))
        place = int(np.argmax(change))
        return f"{self.labels[place]}: {100 * self.seen[place]:.3g} % instead of {100 * self.expected[place]:.3g} %"


def _shares(counts: Array) -> tuple[float, ...]:
    return tuple(float(share) for share in counts / max(counts.sum(), 1.0))


@dataclass(frozen=True, kw_only=True)
class Evidence(Value):
    """What a watcher found.

    Args:
        watcher: The watcher's name.
        what: What changed, in one sentence.
        features: The features that changed, the clearest first; empty if it is not about features.
        statistic: The value that was compared with the threshold.
        threshold: Where the alarm is raised.
        since: The row at which the change most likely began, counted from the start of watching.
        row: The number of rows watched when it was found.
        false_alarms: The stated share of windows of 500 rows in which this watcher raises a false alarm.
        histogram: The distribution of the first feature, expected and seen; None if there is none.
        figures: Further numbers by name.
        counted: What `since` and `row` count: rows, true answers or calls.
    """

    watcher: str
    what: str
    features: tuple[str, ...] = ()
    statistic: float = 0.0
    threshold: float = 0.0
    since: int = 0
    row: int = 0
    false_alarms: float = 0.0
    histogram: Histogram | None = None
    figures: dict[str, float] | None = None
    counted: str = "rows"

    def __str__(self) -> str:
        return f"{self.what} Since about {self.counted.rstrip('s')} {self.since:,}, found at {self.row:,}."


def also(names: tuple[str, ...]) -> str:
    """The sentence that lists further features; empty for none."""
    if not names:
        return ""
    listed = ", ".join(repr(name) for name in names[:MOST_NAMES])
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f" Also changed: {listed}{more}."
