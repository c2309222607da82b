"""Who goes on: what is known of all trials at each rung, and the rule that decides by it."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Literal

from lepton_automl.jobs import CONTINUE, Decision, Report
from lepton_automl.state import StudyState, Trial

from .forecast import Forecaster
from .stopping import is_promoted

EQUALITY_TOLERANCE = 0.02  # in the logarithm of a time or size: finer differences are mostly noise
WINDOW = 256  # the latest trials of a rung; earlier ones were drawn by a sampler that knew less
ETA = 2
Rule = Literal["rank", "gain", "either", "both", "none"]
WORTHWHILE = 2e-3  # expected gain, as a share of the box of costs, from which the rest of a training is worth it


class EarlyStopper:
    """Decides at rungs. Fresh networks and children are compared among themselves: a child starts with what it inherits.

    Args:
        state: The study.
        forecaster: What curves come to.
        rule: `"rank"`: what stands in the better half at its rung goes on; `"gain"`: what is expected to add to the front;
            `"either"`, `"both"`: one of the two, or both; `"none"`: everything.
    """

    def __init__(self, state: StudyState, forecaster: Forecaster, rule: Rule = "either") -> None:
        self._state, self._forecaster, self._rule = state, forecaster, rule
        self._rungs: dict[tuple[bool, int], dict[int, list[float]]] = defaultdict(dict)

    def record_report(self, trial: Trial, report: Report) -> None:
        """Remember how a trial stands at a rung."""
        if report.waits and report.epoch:
            rung = self._rung(trial, report)
            rung[trial.number] = self.costs(trial, report)
            if len(rung) > WINDOW:
                del rung[next(iter(rung))]

    def decide(self, trial: Trial, report: Report) -> Decision:
        """Whether a trial that waits at a rung goes on."""
        metric = self._state.settings.metric
        score = f"{metric} {report.scores.get(metric, math.nan):.4g} at epoch {report.epoch}"
        rung = self._rung(trial, report)
        others = [costs for number, costs in rung.items() if self._state.within_limits(self._state.trials[number])]
        ranked = is_promoted(self.costs(trial, report), others, ETA)
        gain = self._forecaster.gain(trial, report)
        adds = ranked if gain is None else gain >= WORTHWHILE
        if {"rank": ranked, "gain": adds, "either": ranked or adds, "both": ranked and adds, "none": True}[self._rule]:
            return CONTINUE
        return Decision(
            stop=True, reason=f"unlikely to improve the Pareto front (below most of {len(others) + 1} at this rung; {score})"
        )

    def seconds_left(self, trial: Trial, report: Report) -> float:
        """What the trial will still take, if its epochs go on as they did from its first to its last; 0 while unknown."""
        first = next((one for one in trial.reports if one.epoch > 0), report)
        epochs = report.epoch - first.epoch
        if epochs <= 0:
            return 0.0
        total = self._state.settings.epochs_of(child=trial.is_child)
        return (total - report.epoch) * (report.seconds - first.seconds) / epochs

    def costs(self, trial: Trial, report: Report) -> list[float]:
        """The objectives at a rung: only the score still grows. Times and sizes within 2 % of each other count as equal."""
        settings = self._state.settings
        return [
            goal.cost(report.scores.get(settings.metric, math.nan))
            if goal.name == "score"
            else round(math.log(self._state.search_value(trial, goal)) / EQUALITY_TOLERANCE)
            for goal in settings.objectives
        ]

    def _rung(self, trial: Trial, report: Report) -> dict[int, list[float]]:
        return self._rungs[trial.is_child, report.epoch]


def out_of_time(left: float) -> str:
    """Why a trial is stopped that the budget has no time for.

    Args:
        left: Seconds that it would still take; 0 while unknown.
    """
    return f"needs {left:.0f} s more than the budget allows" if left >= 0.5 else "the budget ran out first"
