"""Feedback that looks poisoned: one key contradicts the model where it is sure, and the other keys do not.

Feedback that all keys agree on is a change of the right answers, or poisoning that cannot be told from one.
"""

from __future__ import annotations

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.monitoring.evidence import Evidence
from lepton_automl.monitoring.mixture import WINDOW
from lepton_automl.monitoring.profile import Profile, Score, errors_of
from lepton_automl.monitoring.rows import Feedback
from lepton_automl.monitoring.watcher import Watch

RAISED = (0.15, 0.5)  # the share of wrong answers that is added by a key that poisons
MOST_KEYS = 100  # that are remembered
MEMORY = 0.99  # of what each key reported, after each further row
GROSS = 0.95  # an error of numbers above this quantile of the held-out ones counts as wrong
FEWEST_OTHERS = 20  # rows of other keys, before a key can be told from a change that all see


class PoisonedWatcher:
    """Keys whose feedback contradicts confident answers far more often than that of other keys."""

    name = "poisoned"
    weight = 0.3

    def start(self, profile: Profile, false_alarms: float) -> Watch | None:
        """Begin to watch; None without a score on held-out rows."""
        return _PoisonedWatch(self.name, profile.score, false_alarms) if profile.score else None


class _Key:
    """The evidence against one key, for each raised share."""

    def __init__(self, row: int) -> None:
        self.evidence = np.zeros(len(RAISED))
        self.rows = self.wrong = 0.0
        self.since = row

    def add(self, row: int, *, wrong: bool, expected: float) -> float:
        """Add evidence of a row; returns the statistic, see `mixture`."""
        q = np.minimum(expected + np.asarray(RAISED), 0.95)
        ratio = q / expected if wrong else (1 - q) / (1 - expected)
        self.evidence = (self.evidence + 1) * ratio
        statistic = float(self.evidence.mean())
        if statistic < 1:  # whatever there is begins later
            self.since = row
        return statistic


class _PoisonedWatch(Watch):
    def __init__(self, name: str, score: Score, false_alarms: float) -> None:
        self._name, self._score, self._false_alarms = name, score, false_alarms
        if score.labels:
            usual, self._gross = score.sure_wrong if score.sure_wrong is not None else 1 - score.value, 0.5
        else:
            usual, self._gross = 1 - GROSS, score.errors.quantiles[round(GROSS * (len(score.errors.quantiles) - 1))]
        self._usual = min(max(usual, 2 / score.rows), 0.9)
        self.reset()

    def reset(self) -> None:
        """Forget all keys."""
        self._keys: dict[str, _Key] = {}
        self._paused: dict[str, int] = {}
        self._row = 0

    def feedback(self, feedback: Feedback) -> list[Evidence]:
        if feedback.keys is None:
            return []
        wrong = errors_of(feedback.answers, feedback.truth, labels=self._score.labels) > self._gross
        found = []
        for key, is_wrong, is_sure in zip(feedback.keys, wrong, self._sure(feedback), strict=True):
            self._row += 1
            if is_sure:
                found += self._add(str(key), wrong=bool(is_wrong))
        return found

    def _sure(self, feedback: Feedback) -> Array:
        if feedback.confidence is None or self._score.threshold is None:
            return np.ones(len(feedback), bool)
        return np.asarray(feedback.confidence >= self._score.threshold)

    def _add(self, name: str, *, wrong: bool) -> list[Evidence]:
        if name not in self._keys and len(self._keys) >= MOST_KEYS:
            oldest = next(iter(self._keys))
            self._keys.pop(oldest)
            self._paused.pop(oldest, None)
        key = self._keys.setdefault(name, _Key(self._row - 1))
        for other in self._keys.values():
            other.rows, other.wrong = other.rows * MEMORY, other.wrong * MEMORY
        others = sum(other.rows for other in self._keys.values()) - key.rows
        others_wrong = sum(other.wrong for other in self._keys.values()) - key.wrong
        key.rows, key.wrong = key.rows + 1, key.wrong + wrong
        if others < FEWEST_OTHERS or self._row < self._paused.get(name, 0):
            return []
        statistic = key.add(self._row, wrong=wrong, expected=self._expected(others, others_wrong))
        if statistic < WINDOW / self._false_alarms:
            return []
        seen, usual = key.wrong / key.rows, others_wrong / others
        what = (
            f"The feedback of the key {name!r} contradicts {100 * seen:.3g} % of the model's confident answers, and that of other"
            f" keys {100 * usual:.3g} %. It may be poisoned, or its rows may differ; do not train on it unseen."
        )
        evidence = Evidence(
            watcher=self._name,
            what=what,
            statistic=float(np.log(statistic)),
            threshold=float(np.log(WINDOW / self._false_alarms)),
            since=key.since,
            row=self._row,
            false_alarms=self._false_alarms,
            figures={"contradicted": seen, "contradicted_by_others": usual},
            counted="true answers",
        )
        self._keys[name] = _Key(self._row)
        self._paused[name] = self._row + WINDOW
        return [evidence]

    def _expected(self, others: float, others_wrong: float) -> float:
        """The share of contradictions to expect, with a margin for what is known about the other keys."""
        share = (others_wrong + 1) / (others + 2)
        return float(np.clip(max(self._usual, share + 2 * np.sqrt(share * (1 - share) / others)), 1e-3, 0.9))
