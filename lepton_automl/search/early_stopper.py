"""Early stopping: the costs of all trials at each rung, and the rule that decides which trials go on."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Literal

from lepton_automl.jobs import CONTINUE, Decision, Report
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .forecast import Forecaster
from .stopping import is_promoted

EQUALITY_TOLERANCE = 0.02  # in the logarithm of a time or size: smaller differences are mostly noise
WINDOW = 256  # latest trials of a rung that are compared; earlier ones came from a sampler that knew less
ETA = 2
Rule = Literal["rank", "gain", "either", "both", "none"]
WORTHWHILE = 2e-3  # least expected gain that justifies the rest of a training, as a share of the cost box


class EarlyStopper:
    """Decides at rungs which trials go on.

    New networks and children are compared separately, as a child starts with inherited weights.

    Args:
        state: The study.
        forecaster: Forecasts final costs.
        rule: `"rank"` promotes the better half at a rung, `"gain"` those expected to improve the front; `"either"` and
            `"both"` combine the two; `"none"` promotes all.
    """

    def __init__(self, state: StudyState, forecaster: Forecaster, rule: Rule = "either") -> None:
        self._state, self._forecaster, self._rule = state, forecaster, rule
        self._rungs: dict[tuple[bool, int], dict[int, list[float]]] = defaultdict(dict)

    def record_report(self, trial: Trial, report: Report) -> None:
        """Record a trial's costs at a rung."""
        if report.waits and report.epoch:
            rung = self._rung(trial, report)
            rung[trial.number] = self.costs(trial, report)
            if len(rung) > WINDOW:
                del rung[next(iter(rung))]

    def decide(self, trial: Trial, report: Report) -> Decision:
        """Decide whether a trial that waits at a rung goes on."""
        metric = self._state.settings.metric
        score = f"{metric} {report.scores.get(metric, math.nan):.4g} at epoch {report.epoch}"
        rung = self._rung(trial, report)
        others = [costs for number, costs in rung.items() if self._state.within_limits(self._state.trials[number])]
        promoted = is_promoted(self.costs(trial, report), others, ETA)
        gain = self._forecaster.gain(trial, report)
        improves = promoted if gain is None else gain >= WORTHWHILE
        if {"rank": promoted, "gain": improves, "either": promoted or improves, "both": promoted and improves, "none": True}[
            self._rule
        ]:
            return CONTINUE
        return Decision(
            stop=True, reason=f"unlikely to improve the Pareto front (below most of {len(others) + 1} at this rung; {score})"
        )

    def is_worth_packing(self, trial: Trial, report: Report) -> bool:
        """Whether a trial would join the front as it stands."""
        costs = self.costs(trial, report)
        if not all(map(math.isfinite, costs)):
            return False
        state = self._state
        models = [self._costs(model, state.score(model)) for model in state.front()]
        return not any(all(theirs <= ours for theirs, ours in zip(model, costs, strict=True)) for model in models)

    def costs(self, trial: Trial, report: Report) -> list[float]:
        """The objectives at a rung, to minimise. Only the score changes during training; times and sizes within 2 % count as equal."""
        return self._costs(trial, report.scores.get(self._state.settings.metric, math.nan))

    def _costs(self, trial: Trial, score: float) -> list[float]:
        return [
            goal.cost(score) if goal.is_score else _rounded(goal.search_cost(self._state.search_value(trial, goal)))
            for goal in self._state.settings.objectives
        ]

    def _rung(self, trial: Trial, report: Report) -> dict[int, list[float]]:
        return self._rungs[trial.is_child, report.epoch]


def _rounded(cost: float) -> float:
    """A cost in multiples of the tolerance, so that close costs become equal."""
    return round(cost / EQUALITY_TOLERANCE) if math.isfinite(cost) else math.inf
