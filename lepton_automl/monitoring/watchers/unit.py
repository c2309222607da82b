"""Changed units: numbers that look multiplied by a factor that units differ by, or temperatures on another scale."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.monitoring.bets import CONVERSIONS, Bet, unit_bets
from lepton_automl.monitoring.bins import NUMBER, FeatureProfile, as_numbers
from lepton_automl.monitoring.evidence import Evidence
from lepton_automl.monitoring.mixture import Detection
from lepton_automl.monitoring.profile import Profile
from lepton_automl.monitoring.rows import Rows
from lepton_automl.monitoring.watcher import Watch

from .drift import FeaturesWatch

RECENT = 200  # values of each number that are kept, to find the factor


class UnitWatcher:
    """Numbers that look converted to another unit."""

    name = "unit"
    weight = 0.2

    def start(self, profile: Profile, false_alarms: float) -> Watch | None:
        """Begin to watch; None without numbers."""
        watch = _UnitWatch(self.name, profile, unit_bets, false_alarms)
        return watch if watch.detector.has_bets else None


class _UnitWatch(FeaturesWatch):
    _values: Mapping[str, Array] = {}

    def rows(self, rows: Rows) -> list[Evidence]:
        self._values = rows.features
        return super().rows(rows)

    def evidence(self, detected: tuple[Detection, Bet]) -> Evidence:
        report = super().evidence(detected)
        feature = self._features[detected[0].owner]
        values = as_numbers(self._values[feature.name], feature.name)[-RECENT:]
        factor, offset = likely_conversion(feature, values)
        shown = f"multiplied by {factor:.4g}" + (f" and {offset:+.4g}" if offset else "")
        return report.replace(
            what=f"Values of {feature.name!r} look converted to another unit, {shown}.",
            figures={"factor": factor, "offset": offset},
        )


def likely_conversion(feature: FeatureProfile, values: Array) -> tuple[float, float]:
    """The factor and offset, among the usual ones, that bring the training data closest to some values.

    Args:
        feature: A number.
        values: What was seen, [N].
    """
    assert feature.kind == NUMBER
    known = values[np.isfinite(values)]
    if not len(known):
        return 1.0, 0.0
    middle = slice(len(feature.quantiles) // 4, -len(feature.quantiles) // 4)
    points = np.asarray(feature.quantiles)
    seen = np.quantile(known, np.linspace(0, 1, len(points)))[middle]
    with np.errstate(over="ignore", invalid="ignore"):
        moved = [points[middle] * factor + offset for factor, offset in CONVERSIONS]
        distances = [float(np.abs(one - seen).sum() / (np.abs(one) + np.abs(seen)).sum()) for one in moved]
    return CONVERSIONS[int(np.nanargmin(distances))] if np.isfinite(distances).any() else (1.0, 0.0)
