"""The search's view of a study: what every trial cost or will cost, and what more would be worth.

Costs are the objectives as numbers to minimise; times and sizes by their logarithm, as their ratios matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lepton_automl import families
from lepton_automl.jobs import Report
from lepton_automl.space import Config
from lepton_automl.state import StudyState, Trial

from .curves import Curve, CurveForecaster
from .gain import Frontier
from .surrogate import Surrogate, encode
from .warm import Prior

Array = NDArray[np.float64]

WINDOW = 300  # the latest trials that are learnt from, beside those on the front
EVERY = 0.04  # share of new trials after which is learnt anew
LEAST = 8  # trials before anything is said about others
WORTH = 0.9  # quantile of the scores' costs, beyond which a model is worth nothing, however fast


@dataclass(frozen=True)
class TrialObservation:
    """What a trial that ended teaches.

    Args:
        features: Its configuration as numbers.
        costs: Its costs; the score's is NaN unless it came to its end.
        curve: The cost of its score after each epoch.
        feasible: Whether it is a model that keeps the hard limits as they stand.
    """

    features: list[float]
    costs: list[float]
    curve: Curve
    feasible: bool

    @property
    def worst(self) -> float:
        """The score's cost, or what it was when the trial was stopped."""
        return self.costs[0] if math.isfinite(self.costs[0]) or not self.curve else self.curve[-1]


class Forecaster:
    """Keeps what is known, and tells what is to be expected.

    What is learnt, and when, depends on the ends of trials alone: a search that is taken up again learns the same.

    Args:
        state: The study.
    """

    def __init__(self, state: StudyState) -> None:
        self._state = state
        self._goals = state.settings.objectives
        self._ends, self._next = 0, 1.0
        self._observations: dict[int, TrialObservation] = {}
        self._recent: list[TrialObservation] = []
        self._fitted: tuple[CurveForecaster, Surrogate | None] | None = None
        self.frontier: Frontier | None = None
        self._prior = Prior(state.settings.precedents, self._known_shapes)

    # What is known

    def record_end(self, trial: Trial) -> None:
        """A trial is over: a complete one tells what curves come to, a stopped one counts by its forecast."""
        if trial.profile is None:
            return
        self._ends += 1
        costs = self.costs(trial)
        if not trial.is_packed:
            costs[0] = math.nan
        feasible, features = trial.status == "complete", self.features(trial)
        self._observations.pop(trial.number, None)  # of one that was thawed since; the latest come last
        self._observations[trial.number] = TrialObservation(features, costs, self.curve(trial), feasible)
        if trial.status == "complete":
            self._update_frontier()
        if self._ends >= self._next:
            self._next = self._ends * (1 + EVERY)
            on_front = {model.number for model in self._state.front()}
            latest = list(self._observations)[-WINDOW:]
            self._recent = [self._observations[number] for number in sorted(on_front.union(latest) & self._observations.keys())]
            self._fitted = None

    def limits_changed(self) -> None:
        """The hard limits are not what they were: see anew which models count."""
        for number, known in self._observations.items():
            self._observations[number] = replace(known, feasible=self._state.trials[number].status == "complete")
        self._update_frontier()

    def _update_frontier(self) -> None:
        """See anew what no finished model reaches."""
        known = np.array([one.costs for one in self._observations.values() if one.feasible and math.isfinite(one.costs[0])])
        if len(known) < 2:
            self.frontier = None
            return
        worst = np.max([one.costs for one in self._observations.values()], axis=0)
        scores = np.array([one.worst for one in self._observations.values()])
        worst[0] = np.quantile(scores[np.isfinite(scores)], WORTH)
        for number, goal in enumerate(self._goals):  # beyond a limit a model is worth nothing either
            worst[number] = min(worst[number], math.log(self._state.settings.target.limits.get(goal.name, math.inf)))
        best = known.min(axis=0)
        self.frontier = Frontier.of(known, best, np.maximum(worst, best + 1e-6))

    def costs(self, trial: Trial) -> list[float]:
        """A trial's costs; NaN for a score that is not known."""
        return [self._cost(number, self._state.search_value(trial, goal)) for number, goal in enumerate(self._goals)]

    def score_cost(self, report: Report) -> float:
        """The cost of a reported score."""
        return self._goals[0].cost(report.scores.get(self._state.settings.metric, math.nan))

    def curve(self, trial: Trial, report: Report | None = None) -> list[float]:
        """The cost of a trial's score after each epoch, up to a report that is not written down yet."""
        told = {one.epoch: self.score_cost(one) for one in [*trial.reports, *([report] if report else [])]}
        return [told.get(epoch, math.nan) for epoch in range(1, max(told, default=0) + 1)]

    def _cost(self, number: int, value: float) -> float:
        goal = self._goals[number]
        return goal.cost(value) if number == 0 else math.log(value) if value > 0 else math.nan

    def features(self, trial: Trial) -> list[float]:
        """A trial as numbers: its knobs, how large a network it is, and whether it inherited its weights."""
        known = self._observations.get(trial.number)
        return known.features if known else list(self._encode([(trial.proposed.config, trial.is_child)])[0])

    def _encode(self, candidates: Sequence[tuple[Config, bool]]) -> Array:
        configs = [config for config, _ in candidates]
        born = np.array([[float(child)] for _, child in candidates])
        return np.hstack([self._shapes(configs), born, self._prior.standings(configs)])

    def _known_shapes(self, configs: Sequence[Config]) -> Array:
        return self._shapes([self._state.settings.space.nearest(config) for config in configs])

    def _shapes(self, configs: Sequence[Config]) -> Array:
        settings = self._state.settings
        recipes = [families.final_recipe(config, settings.data, settings.lean, settings.own) for config in configs]
        rows = zip(configs, recipes, strict=True)
        return np.array([encode(settings.space, config, (math.log(max(1, recipe.macs)),)) for config, recipe in rows])

    # What is to be expected

    def gain(self, trial: Trial, report: Report) -> float | None:
        """What a running trial is expected to add; None while nobody can say."""
        gain = float(self._gains([(trial, self.curve(trial, report))])[0])
        return None if math.isnan(gain) else gain

    def gains_of_checkpointed(self, trials: Sequence[Trial]) -> Array:
        """What each stopped trial would add if it went on to its end; NaN while nobody can say."""
        return self._gains([(trial, self._observations[trial.number].curve) for trial in trials])

    def _gains(self, trials: Sequence[tuple[Trial, Curve]]) -> Array:
        models, frontier = self._models(), self.frontier
        if models is None or frontier is None or not trials:
            return np.full(len(trials), math.nan)
        mean, deviation = models[0].forecast([(curve, self.features(trial)) for trial, curve in trials])
        costs = np.array([self.costs(trial) for trial, _ in trials])
        costs[:, 0] = mean
        doubts = np.zeros_like(costs)
        doubts[:, 0] = deviation
        return frontier.gains(costs, doubts)

    def gains(self, configs: Sequence[tuple[Config, bool]]) -> Array:
        """What each of some untried networks is expected to add; NaN while nobody can say.

        Args:
            configs: Each configuration, and whether it would inherit its weights.
        """
        models, frontier = self._models(), self.frontier
        if models is None or models[1] is None or frontier is None or not configs:
            return np.full(len(configs), math.nan)
        return frontier.gains(*models[1].predict(self._encode(configs)))

    def _models(self) -> tuple[CurveForecaster, Surrogate | None] | None:
        """What is learnt from the trials up to the last time that it was due."""
        if self._fitted is None and self._recent:
            whole = [(one.curve, one.costs[0], one.features) for one in self._recent if math.isfinite(one.costs[0])]
            curves = CurveForecaster(whole, seed=len(whole))
            costs = np.array([one.costs for one in self._recent])
            stopped = [number for number, one in enumerate(self._recent) if not math.isfinite(one.costs[0])]
            costs[stopped, 0] = curves.forecast(
                [(self._recent[number].curve, self._recent[number].features) for number in stopped]
            )[0]
            enough = np.isfinite(costs[:, 0]).sum() >= LEAST
            rows = np.array([one.features for one in self._recent])
            self._fitted = curves, Surrogate(rows, costs, seed=len(rows)) if enough else None
        return self._fitted
