"""The search's view of a study: what every trial cost or will cost, and what more would be worth.

Costs are the objectives as numbers to minimise; times and sizes by their logarithm, as their ratios matter.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lepton_automl import families
from lepton_automl.space import Config
from lepton_automl.state import StudyState, Trial
from lepton_automl.values import Report

from .curves import Forecast, forecast
from .gain import Frontier
from .surrogate import Surrogate, encode

Array = NDArray[np.float64]

WINDOW = 300  # the latest trials that the surrogate learns from, beside those on the front
EVERY = 0.04  # share of new trials after which it learns anew
LEAST = 8  # trials before it says anything
WORTH = 0.8  # quantile of the costs known, beyond which a model is worth nothing


class Outlook:
    """Keeps what is known, and tells what is to be expected.

    Args:
        state: The study.
    """

    def __init__(self, state: StudyState) -> None:
        self._state = state
        self._goals = state.settings.objectives
        self._whole: dict[bool, list[tuple[list[float], float]]] = defaultdict(list)
        self._costs: dict[int, list[float]] = {}
        self._features: dict[int, list[float]] = {}
        self._front: list[list[float]] = []
        self._learnt: tuple[int, Surrogate] | None = None
        self._frontier: tuple[int, Frontier] | None = None

    # What is known

    def ended(self, trial: Trial) -> None:
        """A trial is over: a complete one tells what curves come to, a stopped one counts by its forecast."""
        costs = self.costs(trial)
        if trial.status == "complete":
            self._front.append(costs)
            self._whole[trial.is_child].append((self.curve(trial), costs[0]))
        elif trial.status == "stopped":
            told = self.forecast(trial)
            costs[0] = told.mean if told else math.nan
        if trial.profile is not None:
            self._costs[trial.number] = costs
            self._features[trial.number] = self.features(trial.proposed.config)

    def costs(self, trial: Trial) -> list[float]:
        """A trial's costs; NaN for a score that is not known."""
        return [self._cost(number, self._state.value(trial, goal)) for number, goal in enumerate(self._goals)]

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

    def features(self, config: Config) -> list[float]:
        """A configuration as numbers: its knobs, and how large a network it makes."""
        settings = self._state.settings
        recipe = families.final_recipe(config, settings.data, settings.lean, settings.own)
        return encode(settings.space, config, (math.log(max(1, recipe.macs)),))

    # What is to be expected

    def forecast(self, trial: Trial, report: Report | None = None) -> Forecast | None:
        """The final cost of a trial's score, by its curve so far."""
        return forecast(self.curve(trial, report), self._whole[trial.is_child][-WINDOW:])

    @property
    def frontier(self) -> Frontier | None:
        """What no finished model reaches yet; None while too few are finished."""
        count = len(self._front)
        if count < 2:
            return None
        if self._frontier is None or self._frontier[0] != count:
            known = np.array(self._front)
            seen = np.array([costs for costs in self._costs.values() if not any(map(math.isnan, costs))])
            worst = np.maximum(np.quantile(seen, WORTH, axis=0), known.min(axis=0) + 1e-6)
            self._frontier = count, Frontier.of(known, known.min(axis=0), worst)
        return self._frontier[1]

    def gain(self, trial: Trial, report: Report) -> float | None:
        """What a running trial is expected to add; None while nobody can say."""
        told, frontier = self.forecast(trial, report), self.frontier
        if told is None or frontier is None:
            return None
        costs = self.costs(trial)
        costs[0] = told.mean
        deviation = [told.deviation] + [0.0] * (len(costs) - 1)
        return float(frontier.gains(np.array([costs]), np.array([deviation]))[0])

    def gains(self, configs: Sequence[Config]) -> Array | None:
        """What each of some fresh networks is expected to add; None while nobody can say."""
        surrogate, frontier = self._surrogate(), self.frontier
        if surrogate is None or frontier is None or not configs:
            return None
        return frontier.gains(*surrogate.predict(np.array([self.features(config) for config in configs])))

    def _surrogate(self) -> Surrogate | None:
        count = len(self._costs)
        if count < LEAST or sum(not math.isnan(costs[0]) for costs in self._costs.values()) < LEAST:
            return None
        if self._learnt is None or count - self._learnt[0] > EVERY * count:
            on_front = {trial.number for trial in self._state.front()}
            kept = [number for number in self._costs if number in on_front or number >= count - WINDOW]
            rows = np.array([self._features[number] for number in kept])
            surrogate = Surrogate(rows, np.array([self._costs[number] for number in kept]), seed=count)
            self._learnt = count, surrogate
        return self._learnt[1]
