"""The true score, from feedback that may be late and partial."""

from __future__ import annotations

import numpy as np

from lepton_automl.monitoring.bets import Bet, shift_bets
from lepton_automl.monitoring.bins import FeatureProfile
from lepton_automl.monitoring.evidence import Evidence, Histogram
from lepton_automl.monitoring.profile import Profile, Score, errors_of
from lepton_automl.monitoring.rows import Feedback
from lepton_automl.monitoring.watcher import Watch

from .drift import BinsWatch


class ScoreWatcher:
    """More or larger errors than on held-out rows, by true answers."""

    name = "score"
    weight = 3.0

    def start(self, profile: Profile, false_alarms: float) -> Watch | None:
        """Begin to watch; None without a score on held-out rows."""
        return _ScoreWatch(self.name, profile.score, false_alarms) if profile.score else None


class _ScoreWatch(BinsWatch):
    def __init__(self, name: str, score: Score, false_alarms: float) -> None:
        super().__init__(name, (score.errors,), _worse, false_alarms)
        self._score = score

    def feedback(self, feedback: Feedback) -> list[Evidence]:
        errors = errors_of(feedback.answers, feedback.truth, labels=self._score.labels)
        found = self.watch(self._features[0].bin(errors)[:, None])
        return [one.replace(counted="true answers") for one in found]

    def sentence(self, feature: FeatureProfile, change: str, histogram: Histogram) -> str:
        del change
        if not self._score.labels:
            return f"Errors are larger than on held-out rows ({histogram.largest_change()})."
        right = feature.bin(np.zeros(1))[0]
        seen = 100 * histogram.seen[right]
        return f"{seen:.3g} % of {histogram.rows} answers are right, and {100 * self._score.value:.3g} % of held-out rows were."


def _worse(feature: FeatureProfile) -> list[Bet]:
    return [bet for bet in shift_bets(feature) if bet.change == "are larger"]
