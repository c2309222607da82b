"""How long an epoch takes: of a trial by its reports, of an untried network by the multiply-accumulates of the trials so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from lepton_automl.jobs import Report
from lepton_automl.space import Config
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

NEAREST = 3  # trials that a network is compared with
EXPONENT = 0.7  # of the ratio of multiply-accumulates: small networks are bound by the number of layers


class Pace:
    """Predicts seconds per epoch.

    Args:
        state: The study.
        macs: Multiply-accumulates of a configuration's network.
    """

    def __init__(self, state: StudyState, macs: Callable[[Config], float]) -> None:
        self._state, self._macs = state, macs
        self._seen: dict[int, tuple[float, float]] = {}  # by trial: the logarithms of multiply-accumulates and of seconds

    def record_end(self, number: int) -> None:
        """Record an ended trial's pace."""
        trial = self._state.trials[number]
        seconds = epoch_seconds(trial)
        if seconds > 0:
            self._seen[number] = self._log_macs(trial.proposed.config), math.log(seconds)

    def epoch_seconds(self, config: Config) -> float:
        """Predicted seconds of one epoch; 1 while no trial has ended, so that epochs alone count."""
        if not self._seen:
            return 1.0
        size = self._log_macs(config)
        near = sorted(self._seen.values(), key=lambda known: abs(known[0] - size))[:NEAREST]
        return math.exp(sum(seconds + EXPONENT * (size - known) for known, seconds in near) / len(near))

    def _log_macs(self, config: Config) -> float:
        return math.log(max(1.0, self._macs(config)))


def epoch_seconds(trial: Trial, report: Report | None = None) -> float:
    """Seconds of one epoch of a trial at its pace up to a report, by default its last one; 0 while unknown."""
    reports: Sequence[Report] = [known for known in (*trial.reports, *([report] if report else [])) if known.epoch > 0]
    if not reports or reports[-1].epoch <= reports[0].epoch:
        return 0.0
    return (reports[-1].seconds - reports[0].seconds) / (reports[-1].epoch - reports[0].epoch)
