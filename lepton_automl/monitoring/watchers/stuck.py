"""Stuck sensors: a feature that has the value of the row before too often."""

from __future__ import annotations

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.monitoring.bins import ABOVE, BELOW, MISSING, NUMBER, UNSEEN, FeatureProfile, as_numbers
from lepton_automl.monitoring.evidence import Evidence, also
from lepton_automl.monitoring.mixture import LOOK, Detection, Mixture
from lepton_automl.monitoring.profile import Profile
from lepton_automl.monitoring.rows import Rows
from lepton_automl.monitoring.watcher import Watch

CHANCES = (0.02, 0.3)  # of a new value while a sensor is stuck, relative to before
RAREST = 0.02  # the least probability of a repetition: rows that are sent twice are no stuck sensor
COMMONEST = 0.95  # a value with more probability tells nothing when it is repeated
MARGIN = 3.0  # standard errors by which a value may be more probable than the profile says


class StuckWatcher:
    """Features that repeat the value of the row before more often than chance allows."""

    name = "stuck"
    weight = 0.2

    def start(self, profile: Profile, false_alarms: float) -> Watch | None:
        """Begin to watch; None without features."""
        return _StuckWatch(self.name, profile, false_alarms) if profile.features else None


class _StuckWatch(Watch):
    def __init__(self, name: str, profile: Profile, false_alarms: float) -> None:
        self._name, self._profile, self._false_alarms = name, profile, false_alarms
        self._tables = [_log_ratios(feature) for feature in profile.features]
        self._mixture = Mixture(false_alarms)
        names = [(place, "stuck", chance) for place in range(len(profile.features)) for chance in CHANCES]
        self._mixture.place(names, np.ones(len(names)))
        self._before: list[Array] | None = None
        self._last_bins = np.zeros((0, len(profile.features)), np.int64)
        self._pending = np.zeros((0, len(names)))

    def reset(self) -> None:
        """Forget all evidence."""
        self._mixture.reset(len(self._pending))
        self._pending = self._pending[:0]

    def rows(self, rows: Rows) -> list[Evidence]:
        if not len(rows):
            return []
        bins = rows.bins(self._profile)
        features = self._profile.features
        values = [_values(one, rows.features[one.name], bins[:, place]) for place, one in enumerate(features)]
        if self._before is not None:
            values = [np.concatenate([last, now]) for last, now in zip(self._before, values, strict=True)]
            bins = np.concatenate([self._last_bins, bins])
        self._before, self._last_bins = [now[-1:] for now in values], bins[-1:]
        ratios = [
            table[(now[1:] == now[:-1]).astype(int), before]
            for table, now, before in zip(self._tables, values, bins[:-1].T, strict=True)
        ]
        pending = np.concatenate([self._pending, np.concatenate(ratios, axis=1)])
        whole = len(pending) // LOOK * LOOK
        self._pending = pending[whole:]
        return [self._evidence(found) for found in self._mixture.update(pending[:whole])]

    def _evidence(self, found: Detection) -> Evidence:
        name, *others = (self._profile.features[place].name for place in (found.owner, *found.owners))
        others = [other for other in others if other != name]
        what = f"{name!r} repeats the value of the row before, as a stuck sensor does."
        if len(others) + 1 == len(self._profile.features) > 1:
            what = "All features repeat the row before: the same rows are sent again."
            others_shown: tuple[str, ...] = ()
        else:
            others_shown = tuple(others)
        return Evidence(
            watcher=self._name,
            what=what + also(others_shown),
            features=(name, *others),
            statistic=found.evidence,
            threshold=self._mixture.threshold,
            since=found.since,
            row=found.row,
            false_alarms=self._false_alarms,
        )


def _values(feature: FeatureProfile, values: Array, bins: Array) -> Array:
    """What is compared with the row before: numbers, and the bins of categories."""
    return as_numbers(values, feature.name) if feature.kind == NUMBER else bins


def _log_ratios(feature: FeatureProfile) -> Array:
    """The logarithm of the likelihood ratio of a changed and of a repeated value, by the bin of the row before, [2, bins, bets].

    A value in a bin is at most as probable as the bin, so that the mean ratio is at most 1 while nothing is stuck.
    """
    known = feature.probabilities()
    known = known + MARGIN * np.sqrt(known * (1 - known) / feature.rows)
    p = np.clip(known, RAREST, 1.0)[:, None]
    chances = np.asarray(CHANCES)
    table = np.stack([np.log(chances) + np.zeros_like(p), np.log((1 - chances * (1 - p)) / p)])
    unknown = [MISSING, BELOW, ABOVE] if feature.kind == NUMBER else [MISSING, UNSEEN]  # how often these repeat cannot be told
    table[:, (known > COMMONEST) | np.isin(np.arange(len(known)), unknown)] = 0.0
    return table
