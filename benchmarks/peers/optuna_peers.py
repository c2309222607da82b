"""Plain Optuna with its own defaults: TPE, NSGA-II and random without early stopping, and TPE with rungs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from lepton_automl.space import Hyperparameter

from .clock import Status, simulate
from .halving import Rungs
from .landscape import Deck, Landscape
from .recorded import Moment

ReportedConfig = Literal["row", "asked"]


class OptunaSearch:
    """An Optuna study that is restricted to the table's rows, by ask and tell.

    Args:
            landscape: The landscape to search.
            sampler: The sampler.
            reported: The parameters that a row's values are reported with: the row's own, so that the model learns from correct
            data, or the proposed ones.
            limit: Maximum number of trials; None for as many as there are rows.
            pruner: The study's pruner.
    """

    def __init__(
        self,
        landscape: Landscape,
        sampler: BaseSampler,
        *,
        reported: ReportedConfig = "row",
        limit: int | None = None,
        pruner: optuna.pruners.BasePruner | None = None,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore")  # experimental features, and parameters fixed by a queue
        self.landscape, self._reported_config, self._left = landscape, reported, limit
        self._deck = Deck(landscape)
        self._distributions = {name: distribution(hyperparameter) for name, hyperparameter in landscape.table.space.items()}
        self.study = optuna.create_study(directions=["minimize"] * 2, sampler=sampler, pruner=pruner)
        self.numbers: dict[int, int] = {}  # trial numbers of the running trials, by row

    def ask(self) -> int | None:
        if self._left is not None:
            if not self._left:
                return None
            self._left -= 1
        trial = self.study.ask(self._distributions)
        row = self._deck.draw(trial.params)
        if row is None or self._reported_config == "row":
            self.study.tell(trial, state=TrialState.FAIL)
        if row is not None:
            self.numbers[row] = self._stand_in(trial, row) if self._reported_config == "row" else trial.number
        return row

    def _stand_in(self, trial: optuna.Trial, row: int) -> int:
        """Add a running trial with the row's parameters and the system attributes of the proposed trial; returns its number.

        NSGA-II stores its generation there; without it, as in enqueued trials, it would sample at random forever.
        """
        running = optuna.create_trial(
            state=TrialState.RUNNING,
            params=dict(self.landscape.rows[row].config),
            distributions=self._distributions,
            system_attrs=self.study.get_trials(deepcopy=False)[trial.number].system_attrs,
        )
        self.study.add_trial(running)
        return self.study.get_trials(deepcopy=False)[-1].number

    def hear(self, row: int, epoch: int) -> bool:  # noqa: ARG002  # overridden by a search that stops trials
        return True

    def end(self, row: int, epoch: int, status: Status) -> None:
        number = self.numbers.pop(row)
        if status != "failed":
            costs = self.landscape.costs(self.landscape.rows[row], None if status == "complete" else epoch)
            if all(map(math.isfinite, costs)):
                self.study.tell(number, costs)
                return
        self.study.tell(number, state=TrialState.FAIL)


class OptunaHalving(OptunaSearch):
    """The same with asynchronous successive halving; a stopped trial is told with its last score."""

    def __init__(self, landscape: Landscape, sampler: BaseSampler) -> None:
        super().__init__(landscape, sampler)
        self._rungs = Rungs(landscape)

    def hear(self, row: int, epoch: int) -> bool:
        return self._rungs.goes_on(row, epoch)


def unstopped(
    make: Callable[[int], BaseSampler], reported: ReportedConfig = "row"
) -> Callable[[Landscape, int, int], list[Moment]]:
    """A contestant with this sampler that trains every network to the end."""

    def contest(landscape: Landscape, seed: int, workers: int) -> list[Moment]:
        search = OptunaSearch(landscape, make(seed), reported=reported, limit=landscape.trainings)
        return simulate(landscape, search, workers=workers)

    return contest


def tpe(seed: int) -> BaseSampler:
    return TPESampler(seed=seed)


def nsga2(seed: int) -> BaseSampler:
    return NSGAIISampler(seed=seed)


def uniform(seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


def tpe_halving(landscape: Landscape, seed: int, workers: int) -> list[Moment]:
    return simulate(landscape, OptunaHalving(landscape, tpe(seed)), workers=workers)


def distribution(hyperparameter: Hyperparameter) -> BaseDistribution:
    """The Optuna distribution of a hyperparameter."""
    if hyperparameter.choices:
        return CategoricalDistribution(hyperparameter.choices)
    assert hyperparameter.low is not None and hyperparameter.high is not None
    if hyperparameter.integer:
        return IntDistribution(int(hyperparameter.low), int(hyperparameter.high), log=hyperparameter.log)
    return FloatDistribution(hyperparameter.low, hyperparameter.high, log=hyperparameter.log)
