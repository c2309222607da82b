"""Forecasts of costs and gains: what each trial costs or will cost, and how much a candidate would improve the front.

Costs are the objectives as numbers to minimise; times and sizes enter by their logarithm, as their ratios matter.
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
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .curves import Curve, CurveForecaster
from .gain import Frontier
from .surrogate import Surrogate, encode
from .warm import Prior

Array = NDArray[np.float64]

WINDOW = 300  # latest trials that the models are fitted on, besides those on the front
EVERY = 0.04  # share of new trials after which the models are fitted again
LEAST = 8  # trials below which the surrogate is not fitted
WORTH = 0.9  # quantile of the scores' costs beyond which a model is worthless, however fast


@dataclass(frozen=True)
class TrialObservation:
    """An ended trial as training data for the forecasts.

    Args:
        features: Its configuration as numbers.
        costs: Its costs; the score's is NaN unless it was fully trained.
        curve: The cost of its score after each epoch.
        feasible: Whether it is a complete model within the current hard limits.
    """

    features: list[float]
    costs: list[float]
    curve: Curve
    feasible: bool

    @property
    def worst(self) -> float:
        """The score's final cost, or its last cost if the trial was stopped."""
        return self.costs[0] if math.isfinite(self.costs[0]) or not self.curve else self.curve[-1]


class Forecaster:
    """Forecasts final costs of running trials and gains of candidates.

    What it learns, and when, depends only on the ends of trials: a restarted search learns the same.

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
        self._prior = Prior(state.settings.prior_trials, self._known_shapes)

    # Observations

    def record_end(self, trial: Trial) -> None:
        """Record an ended trial: a complete one trains the curve forecasts, a stopped one counts by its forecast cost."""
        if trial.profile is None or trial.is_ensemble:
            return
        self._ends += 1
        costs = self.costs(trial)
        if not trial.is_packed:
            costs[0] = math.nan
        feasible, features = trial.status == "complete", self.features(trial)
        self._observations.pop(trial.number, None)  # a resumed trial ends again; the latest come last
        self._observations[trial.number] = TrialObservation(features, costs, self.curve(trial), feasible)
        if trial.status == "complete":
            self._update_frontier()
        if self._ends >= self._next:
            self._next = self._ends * (1 + EVERY)
            on_front = {model.number for model in self._state.front(merged=True)}
            latest = list(self._observations)[-WINDOW:]
            self._recent = [self._observations[number] for number in sorted(on_front.union(latest) & self._observations.keys())]
            self._fitted = None

    def limits_changed(self) -> None:
        """Re-evaluate which models are feasible after a change of the hard limits."""
        for number, known in self._observations.items():
            self._observations[number] = replace(known, feasible=self._state.trials[number].status == "complete")
        self._update_frontier()

    def _update_frontier(self) -> None:
        """Recompute the part of the cost box that no finished model dominates."""
        ended = self._observations.values()
        known = np.array([trial.costs for trial in ended if trial.feasible and math.isfinite(trial.costs[0])])
        if len(known) < 2:
            self.frontier = None
            return
        worst = np.max([trial.costs for trial in ended], axis=0)
        scores = np.array([trial.worst for trial in ended])
        worst[0] = np.quantile(scores[np.isfinite(scores)], WORTH)
        for number, goal in enumerate(self._goals):  # a model beyond a limit is worthless too
            limit = self._state.settings.deployment.hard_limits.get(goal.name)
            worst[number] = min(worst[number], goal.search_cost(limit) if limit is not None else math.inf)
        best = known.min(axis=0)
        self.frontier = Frontier.of(known, best, np.maximum(worst, best + 1e-6))

    def costs(self, trial: Trial) -> list[float]:
        """A trial's costs; NaN for an unknown score."""
        return [self._cost(number, self._state.search_value(trial, goal)) for number, goal in enumerate(self._goals)]

    def score_cost(self, report: Report) -> float:
        """The cost of a reported score."""
        return self._goals[0].cost(report.scores.get(self._state.settings.metric, math.nan))

    def curve(self, trial: Trial, report: Report | None = None) -> list[float]:
        """The cost of a trial's score after each epoch, up to a report that is not recorded yet."""
        known = {known.epoch: self.score_cost(known) for known in [*trial.reports, *([report] if report else [])]}
        return [known.get(epoch, math.nan) for epoch in range(1, max(known, default=0) + 1)]

    def _cost(self, number: int, value: float) -> float:
        goal = self._goals[number]
        return goal.search_cost(value)

    def features(self, trial: Trial) -> list[float]:
        """A trial as numbers: its hyperparameters, the size of its network, and whether it inherited its weights."""
        known = self._observations.get(trial.number)
        return known.features if known else list(self._encode([(trial.proposed.config, trial.is_child)])[0])

    def _encode(self, candidates: Sequence[tuple[Config, bool]]) -> Array:
        configs = [config for config, _ in candidates]
        is_child = np.array([[float(child)] for _, child in candidates])
        return np.hstack([self._shapes(configs), is_child, self._prior.standings(configs)])

    def _known_shapes(self, configs: Sequence[Config]) -> Array:
        return self._shapes([self._state.settings.space.nearest(config) for config in configs])

    def _shapes(self, configs: Sequence[Config]) -> Array:
        settings = self._state.settings
        recipes = [families.final_recipe(config, settings.data, settings.prune, settings.factory) for config in configs]
        rows = zip(configs, recipes, strict=True)
        return np.array([encode(settings.space, config, (math.log(max(1, recipe.macs)),)) for config, recipe in rows])

    # Forecasts

    def gain(self, trial: Trial, report: Report) -> float | None:
        """The gain expected of a running trial; None without a forecast."""
        gain = float(self._gains([(trial, self.curve(trial, report))])[0])
        return None if math.isnan(gain) else gain

    def gains_of_checkpointed(self, trials: Sequence[Trial]) -> Array:
        """The gain expected of each stopped trial if it is resumed, shape (trials,); NaN without a forecast."""
        return self._gains([(trial, self._observations[trial.number].curve) for trial in trials])

    def _gains(self, trials: Sequence[tuple[Trial, Curve]]) -> Array:
        models, frontier = self._models(), self.frontier
        if models is None or frontier is None or not trials:
            return np.full(len(trials), math.nan)
        mean, deviation = models[0].forecast([(curve, self.features(trial)) for trial, curve in trials])
        costs = np.array([self.costs(trial) for trial, _ in trials])
        costs[:, 0] = mean
        deviations = np.zeros_like(costs)
        deviations[:, 0] = deviation
        return frontier.gains(costs, deviations)

    def gains(self, configs: Sequence[tuple[Config, bool]]) -> Array:
        """The gain expected of each untried network, shape (configs,); NaN without a forecast.

        Args:
            configs: Each configuration, and whether it would inherit its weights.
        """
        models, frontier = self._models(), self.frontier
        if models is None or models[1] is None or frontier is None or not configs:
            return np.full(len(configs), math.nan)
        return frontier.gains(*models[1].predict(self._encode(configs)))

    def _models(self) -> tuple[CurveForecaster, Surrogate | None] | None:
        """The models fitted on the trials up to the last refit."""
        if self._fitted is None and self._recent:
            complete = [
                (trial.curve, trial.costs[0], trial.features) for trial in self._recent if math.isfinite(trial.costs[0])
            ]
            curves = CurveForecaster(complete, seed=len(complete))
            costs = np.array([trial.costs for trial in self._recent])
            stopped = [number for number, trial in enumerate(self._recent) if not math.isfinite(trial.costs[0])]
            costs[stopped, 0] = curves.forecast(
                [(self._recent[number].curve, self._recent[number].features) for number in stopped]
            )[0]
            enough = np.isfinite(costs[:, 0]).sum() >= LEAST
            rows = np.array([trial.features for trial in self._recent])
            self._fitted = curves, Surrogate(rows, costs, seed=len(rows)) if enough else None
        return self._fitted
