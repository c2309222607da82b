"""Changes of the inputs: single features, features together, missing and unseen values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.monitoring.bets import Bet, Bettor, missing_bets, shift_bets, unseen_bets
from lepton_automl.monitoring.bins import NUMBER, FeatureProfile, score_of_bins
from lepton_automl.monitoring.detector import Detector
from lepton_automl.monitoring.evidence import Evidence, Histogram, also
from lepton_automl.monitoring.mixture import Detection
from lepton_automl.monitoring.profile import Profile
from lepton_automl.monitoring.rows import Rows
from lepton_automl.monitoring.watcher import Watch

SPREAD = "are more spread"
CLEAR_SHIFT = 1.0  # of the mean, in standard deviations


class BinsWatch(Watch):
    """Watches the bins of some features.

    Args:
        name: The watcher's name.
        features: The features.
        bettor: The bets on each.
        false_alarms: The stated share of windows with a false alarm.
        together: Whether a change of one feature changes the others.
    """

    def __init__(
        self, name: str, features: Sequence[FeatureProfile], bettor: Bettor, false_alarms: float, *, together: bool = False
    ) -> None:
        self._name, self._features, self._false_alarms = name, tuple(features), false_alarms
        self.detector = Detector(features, bettor, false_alarms, together=together)

    def reset(self) -> None:
        """Forget all evidence."""
        self.detector.reset()

    def watch(self, bins: Array) -> list[Evidence]:
        """Watch the bins of some rows, [N, features]."""
        return [self.evidence(detected) for detected in self.detector.update(bins)]

    def evidence(self, detected: tuple[Detection, Bet]) -> Evidence:
        """What is reported of a detection."""
        found, change = detected[0], detected[1].change
        feature = self._features[found.owner]
        histogram = Histogram.of(feature, self.detector.seen(found.owner, found.since))
        others = tuple(self._features[place].name for place in found.owners if place != found.owner)
        return Evidence(
            watcher=self._name,
            what=self.sentence(feature, change, histogram) + also(others),
            features=(feature.name, *others),
            statistic=found.evidence,
            threshold=self.detector.threshold,
            since=found.since,
            row=found.row,
            false_alarms=self._false_alarms,
            histogram=histogram,
        )

    def sentence(self, feature: FeatureProfile, change: str, histogram: Histogram) -> str:
        """What changed."""
        return f"Values of {feature.name!r} {_plain(feature, change, histogram)} ({histogram.largest_change()})."


def _plain(feature: FeatureProfile, change: str, histogram: Histogram) -> str:
    """The change in words; a number that moved far is called larger or smaller, though the bet on its spread may have won."""
    if feature.kind != NUMBER or not change.startswith(SPREAD):
        return change
    scores = score_of_bins(feature)
    shift = float(np.asarray(histogram.seen) @ scores - np.asarray(histogram.expected) @ scores)
    return change if abs(shift) < CLEAR_SHIFT else "are larger" if shift > 0 else "are smaller"


class FeaturesWatch(BinsWatch):
    """Watches the features of answered rows."""

    def __init__(self, name: str, profile: Profile, bettor: Bettor, false_alarms: float) -> None:
        super().__init__(name, profile.features, bettor, false_alarms)
        self._profile = profile

    def rows(self, rows: Rows) -> list[Evidence]:
        """Watch the features of some rows."""
        return self.watch(rows.bins(self._profile))


class _FeaturesWatcher:
    name: str
    weight: float
    bettor: Bettor

    def start(self, profile: Profile, false_alarms: float) -> Watch | None:
        """Begin to watch; None if there are no such features."""
        watch = FeaturesWatch(self.name, profile, type(self).bettor, false_alarms)
        return watch if watch.detector.has_bets else None


class DriftWatcher(_FeaturesWatcher):
    """Each feature's values: larger, smaller, more or less spread, other categories."""

    name = "drift"
    weight = 4.0
    bettor = staticmethod(shift_bets)


class MissingWatcher(_FeaturesWatcher):
    """More missing values than in the training rows, or fewer."""

    name = "missing"
    weight = 0.5
    bettor = staticmethod(missing_bets)


class UnseenWatcher(_FeaturesWatcher):
    """Categories that the training rows do not have, and numbers beyond their range."""

    name = "unseen"
    weight = 0.3
    bettor = staticmethod(unseen_bets)


class TogetherWatcher:
    """Numeric features together: combinations of them, and their distance from the middle of the training rows."""

    name = "together"
    weight = 1.0

    def start(self, profile: Profile, false_alarms: float) -> Watch | None:
        """Begin to watch; None for fewer than two numeric features."""
        return _TogetherWatch(self.name, profile, false_alarms) if profile.together else None


class _TogetherWatch(BinsWatch):
    def __init__(self, name: str, profile: Profile, false_alarms: float) -> None:
        assert profile.together is not None
        super().__init__(name, profile.together.combinations, shift_bets, false_alarms, together=True)
        self._profile = profile

    def rows(self, rows: Rows) -> list[Evidence]:
        values = self._profile.together_values(rows.bins(self._profile))
        bins = [feature.bin(values[:, place]) for place, feature in enumerate(self._features)]
        return self.watch(np.stack(bins, axis=1))

    def sentence(self, feature: FeatureProfile, change: str, histogram: Histogram) -> str:
        del histogram
        return f"Columns vary together in another way: values of {feature.name} {change}."
