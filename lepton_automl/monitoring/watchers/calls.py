"""Latency and failures of calls, against the model's own measured figures."""

from __future__ import annotations

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.monitoring.bets import Bet, shift_bets
from lepton_automl.monitoring.bins import NUMBER, FeatureProfile
from lepton_automl.monitoring.evidence import Evidence, Histogram
from lepton_automl.monitoring.profile import Profile
from lepton_automl.monitoring.rows import Calls
from lepton_automl.monitoring.watcher import Watch

from .drift import BinsWatch

TOLERANCE = 1.5  # times the measured latency is still normal: a server is busier than a benchmark
APART = 1.0  # seconds between calls that count: a pause of the machine slows all calls in it
MEASURED = 1000  # calls that the share of failures counts as measured on


class LatencyWatcher:
    """Calls that take clearly longer than the model's measured latency."""

    name = "latency"
    weight = 0.3

    def start(self, profile: Profile, false_alarms: float) -> Watch | None:
        """Begin to watch; None without a measured latency."""
        return _LatencyWatch(self.name, profile.latency, false_alarms) if profile.latency else None


class _LatencyWatch(BinsWatch):
    def __init__(self, name: str, latency: FeatureProfile, false_alarms: float) -> None:
        super().__init__(name, (latency,), _larger, false_alarms)
        self._until = -np.inf

    def calls(self, calls: Calls) -> list[Evidence]:
        counted = self._apart(calls) & ~np.isnan(calls.latency_ms)
        latency = self._features[0]
        found = self.watch(latency.bin(calls.latency_ms[counted] / TOLERANCE)[:, None])
        recent = float(np.median(calls.latency_ms[counted])) if counted.any() else float("nan")
        usual = latency.quantiles[len(latency.quantiles) // 2]
        what = f"Calls take {recent:.3g} ms in the median, and {usual:.3g} ms were measured."
        return [one.replace(what=what, counted="calls", figures={"median_ms": recent, "measured_ms": usual}) for one in found]

    def _apart(self, calls: Calls) -> Array:
        """Which calls count: one in each period, if the times are known."""
        if calls.seconds is None:
            return np.ones(len(calls), bool)
        counted = np.zeros(len(calls), bool)
        for place, second in enumerate(calls.seconds):
            if second >= self._until or second < self._until - 2 * APART:  # the clock was set back
                counted[place] = True
                self._until = second + APART
        return counted


class FailuresWatcher:
    """Calls that fail for a reason of the model's or the server's own, more often than when they were measured."""

    name = "failures"
    weight = 0.3

    def start(self, profile: Profile, false_alarms: float) -> Watch | None:
        """Begin to watch."""
        return _FailuresWatch(self.name, profile.failures, false_alarms)


class _FailuresWatch(BinsWatch):
    def __init__(self, name: str, failures: float, false_alarms: float) -> None:
        failed = round(failures * MEASURED)
        edges = (0.0, 1.0, float(np.nextafter(1.0, 2.0)))
        counts = (0, 0, 0, MEASURED - failed, failed)
        feature = FeatureProfile(name="failures", kind=NUMBER, rows=MEASURED, counts=counts, edges=edges)
        super().__init__(name, (feature,), _larger, false_alarms)

    def calls(self, calls: Calls) -> list[Evidence]:
        found = self.watch(self._features[0].bin(calls.failed.astype(np.float64))[:, None])
        return [one.replace(counted="calls") for one in found]

    def sentence(self, feature: FeatureProfile, change: str, histogram: Histogram) -> str:
        del feature, change
        return f"{100 * histogram.seen[-1]:.3g} % of {histogram.rows} calls failed; {100 * histogram.expected[-1]:.3g} % are usual."


def _larger(feature: FeatureProfile) -> list[Bet]:
    return [bet for bet in shift_bets(feature) if bet.change == "are larger"]
