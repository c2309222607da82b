"""Changes of the model's answers, which need no true answers: other labels or numbers, less confidence."""

from __future__ import annotations

from lepton_automl.arrays import Array
from lepton_automl.monitoring.bets import Bet, shift_bets
from lepton_automl.monitoring.bins import FeatureProfile
from lepton_automl.monitoring.evidence import Evidence, Histogram
from lepton_automl.monitoring.profile import Profile, Score
from lepton_automl.monitoring.rows import Rows
from lepton_automl.monitoring.watcher import Watch

from .drift import BinsWatch

RECENT = 1000  # rows whose confidence the estimated score is computed from


class AnswersWatcher:
    """Answers: some labels more or less often, larger or smaller numbers."""

    name = "answers"
    weight = 1.0

    def start(self, profile: Profile, false_alarms: float) -> Watch | None:
        """Begin to watch; None without held-out answers."""
        return _AnswersWatch(self.name, profile.answers, false_alarms) if profile.answers else None


class _AnswersWatch(BinsWatch):
    def __init__(self, name: str, answers: FeatureProfile, false_alarms: float) -> None:
        super().__init__(name, (answers,), shift_bets, false_alarms)

    def rows(self, rows: Rows) -> list[Evidence]:
        if rows.answers is None:
            return []
        return self.watch(self._features[0].bin(rows.answers)[:, None])

    def sentence(self, feature: FeatureProfile, change: str, histogram: Histogram) -> str:
        del feature
        return f"The model's answers {change} ({histogram.largest_change()})."


def estimated_score(score: Score, confidence: Array) -> float:
    """The share of right labels that confidences suggest: the average thresholded confidence of Garg and others (2022).

    It assumes that the relation of confidence and correctness is that of the held-out rows; it does not see that the right labels
    themselves have changed.

    Args:
        score: The score on held-out rows, with its threshold.
        confidence: The probability of each label, [N].
    """
    assert score.threshold is not None
    return float((confidence >= score.threshold).mean())


class ConfidenceWatcher:
    """Lower confidence, from which a lower score is estimated without true answers.

    It is blind to changes of the right answers for the same inputs; only true answers show these.
    """

    name = "confidence"
    weight = 1.0

    def start(self, profile: Profile, false_alarms: float) -> Watch | None:
        """Begin to watch; None without confidences on held-out rows."""
        return _ConfidenceWatch(self.name, profile, false_alarms) if profile.confidence else None


class _ConfidenceWatch(BinsWatch):
    def __init__(self, name: str, profile: Profile, false_alarms: float) -> None:
        assert profile.confidence is not None
        super().__init__(name, (profile.confidence,), _less, false_alarms)
        self._score = profile.score

    def rows(self, rows: Rows) -> list[Evidence]:
        if rows.confidence is None:
            return []
        found = self.watch(self._features[0].bin(rows.confidence)[:, None])
        return [self._with_estimate(one, rows.confidence) for one in found]

    def _with_estimate(self, evidence: Evidence, confidence: Array) -> Evidence:
        if self._score is None or self._score.threshold is None:
            return evidence
        estimate = estimated_score(self._score, confidence[-RECENT:])
        what = (
            f"The model is less confident: the share of right labels is estimated to be {100 * estimate:.3g} % instead of"
            f" {100 * self._score.value:.3g} %. True answers are needed to be sure."
        )
        return evidence.replace(what=what, figures={"estimated_score": estimate, "held_out_score": self._score.value})

    def sentence(self, feature: FeatureProfile, change: str, histogram: Histogram) -> str:
        del feature, change
        return f"The model is less confident ({histogram.largest_change()})."


def _less(feature: FeatureProfile) -> list[Bet]:
    return [bet for bet in shift_bets(feature) if bet.change == "are smaller"]
