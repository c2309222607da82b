"""Who goes on: what is known of all trials at each rung, and the rule that decides by it."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Literal

from lepton_automl.state import StudyState, Trial
from lepton_automl.values import GO_ON, Decision, Report

from .outlook import Outlook
from .stopping import goes_on

TOLD_APART = 0.02  # in the logarithm of a time or size: finer differences are mostly noise
REMEMBERED = 256  # the latest trials of a rung; earlier ones were drawn by a sampler that knew less
ETA = 2
Rule = Literal["gain", "rank", "both", "none"]
WORTHLESS = 1e-3  # expected gain, as a share of the box of costs, below which the rest of a training is not worth it


class Judge:
    """Decides at rungs. Fresh networks and children are compared among themselves: a child starts with what it inherits.

    Args:
        state: The study.
        outlook: What curves come to.
        rule: `"gain"`: goes on what is expected to add to the front; `"rank"`: what stands in the better half;
            `"both"`; `"none"`: everything.
    """

    def __init__(self, state: StudyState, outlook: Outlook, rule: Rule = "gain") -> None:
        self._state, self._outlook, self._rule = state, outlook, rule
        self._rungs: dict[tuple[bool, int], dict[int, list[float]]] = defaultdict(dict)

    def hear(self, trial: Trial, report: Report) -> None:
        """Remember how a trial stands at a rung."""
        if report.waits and report.epoch:
            rung = self._rung(trial, report)
            rung[trial.number] = self.costs(trial, report)
            if len(rung) > REMEMBERED:
                del rung[next(iter(rung))]

    def decide(self, trial: Trial, report: Report) -> Decision:
        """Whether a trial that waits at a rung goes on."""
        metric = self._state.settings.metric
        score = f"{metric} {report.scores.get(metric, math.nan):.4g} at epoch {report.epoch}"
        if self._rule in {"gain", "both"}:
            gain = self._outlook.gain(trial, report)
            if gain is not None and gain < WORTHLESS:
                return Decision(stop=True, reason=f"it would hardly add to the front ({score})")
            if gain is not None and self._rule == "gain":
                return GO_ON
        others = list(self._rung(trial, report).values())
        if self._rule == "none" or goes_on(self.costs(trial, report), others, ETA):
            return GO_ON
        return Decision(stop=True, reason=f"not in the better half of {len(others) + 1} ({score})")

    def seconds_left(self, trial: Trial, report: Report) -> float:
        """What the trial will still take, if its epochs go on as they did from its first to its last; 0 while unknown."""
        first = next((one for one in trial.reports if one.epoch > 0), report)
        epochs = report.epoch - first.epoch
        if epochs <= 0:
            return 0.0
        total = self._state.settings.epochs_of(child=trial.proposed.parent is not None)
        return (total - report.epoch) * (report.seconds - first.seconds) / epochs

    def costs(self, trial: Trial, report: Report) -> list[float]:
        """The objectives at a rung: only the score still grows. Times and sizes within 2 % of each other count as equal."""
        settings = self._state.settings
        return [
            goal.cost(report.scores.get(settings.metric, math.nan))
            if goal.name == "score"
            else round(math.log(self._state.value(trial, goal)) / TOLD_APART)
            for goal in settings.objectives
        ]

    def _rung(self, trial: Trial, report: Report) -> dict[int, list[float]]:
        return self._rungs[trial.proposed.parent is not None, report.epoch]
