"""The samplers of this package, most of them Optuna's; see `search.sampler` for the protocol."""

from __future__ import annotations

import itertools
import math
import random
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from lepton_automl.objective import Objective
from lepton_automl.space import Config, Hyperparameter, Space

from .sampler import NO_PINS, Observation, Pins

WINDOW = 200  # finished trials that a model-based sampler uses: the best and the latest
POPULATION = 20  # of the genetic algorithm
AHEAD = 64  # grid points that may be running at once
GRID = 5  # grid values of a numeric hyperparameter


class OptunaSampler:
    """One of Optuna's samplers over a window of observations.

    The cost of a proposal grows with the trials that a sampler uses (Optuna's TPE: 93 ms at 1,000 trials), and old bad
    ones carry little information: beyond `WINDOW` trials only the best, by non-dominated sorting, and the latest are kept.

    Args:
        make: Makes the sampler for a seed.
        space: The search space.
        objectives: The objectives and their directions.
        seed: Seeds the sampler, together with the trial's number.
        window: Finished trials that are used, at most twice as many; None for all.
    """

    forecast = False  # a user who requests a sampler other than the default wants its own draws
    first_designs = True

    def __init__(
        self,
        make: Callable[[int], BaseSampler],
        space: Space,
        objectives: tuple[Objective, ...],
        *,
        seed: int,
        window: int | None = WINDOW,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._make, self._space, self._objectives, self._seed, self._window = make, space, objectives, seed, window
        self._distributions = distributions(space)
        self._observations: list[Observation] = []
        self._study = self._new_study([])

    def tell(self, observation: Observation) -> None:
        """Learn from a finished trial."""
        self._observations.append(observation)
        if self._window is not None and len(self._observations) > 2 * self._window:
            self.relearn(self._observations)
        else:
            self._study.add_trial(to_frozen_trial(observation, self._distributions, len(self._observations) - 1))

    def relearn(self, observations: Iterable[Observation]) -> None:
        """Replace all observations."""
        self._observations = list(observations)
        if self._window is not None and len(self._observations) > 2 * self._window:
            self._observations = self._worth_keeping(self._observations, self._window)
        self._study = self._new_study(self._observations)

    def ask(self, number: int, count: int = 1, pinned: Pins = NO_PINS) -> list[Config]:
        """Candidates for a trial's number; none of them stays in the Optuna study.

        Pinned hyperparameters are not drawn; the others are drawn from the observations of all trials, as in Optuna's
        `PartialFixedSampler`.
        """
        sampler: Any = self._make((self._seed * 1_000_003 + number) % 2**32)
        sampler.known = {name: known for name, known in self._distributions.items() if name not in pinned}
        self._study.sampler = sampler
        drawn = []
        for _ in range(count):
            trial = self._study.ask(sampler.known)
            drawn.append(trial.params | dict(pinned))
            self._study.tell(trial, state=TrialState.FAIL)
        return drawn

    def _new_study(self, observations: Sequence[Observation]) -> Study:
        study = optuna.create_study(directions=[goal.direction for goal in self._objectives])
        study.add_trials([to_frozen_trial(known, self._distributions, number) for number, known in enumerate(observations)])
        return study

    def _worth_keeping(self, observations: Sequence[Observation], count: int) -> list[Observation]:
        """Half of `count` by rank, the rest by recency, in the original order."""
        from lepton_automl.front import ranks

        rows = [
            [goal.cost(value) for goal, value in zip(self._objectives, known.values, strict=True)] for known in observations
        ]
        rank = ranks(rows)
        best = sorted(range(len(observations)), key=lambda n: (observations[n].violation, rank[n], -n))[: count // 2]
        latest = range(len(observations) - 1, -1, -1)
        selected = set(itertools.islice(dict.fromkeys([*best, *latest]), count))
        return [known for number, known in enumerate(observations) if number in selected]


class RandomSampler:
    """Draws every hyperparameter independently; for its arguments see `SamplerFactory`."""

    forecast = False
    first_designs = True

    def __init__(
        self, space: Space, objectives: tuple[Objective, ...] = (), *, seed: int, hyperparameters: Sequence[str] = ()
    ) -> None:
        del objectives, hyperparameters
        self._space, self._seed = space, seed

    def tell(self, observation: Observation) -> None:
        """Learns nothing."""

    def relearn(self, observations: Iterable[Observation]) -> None:
        """Learns nothing."""

    def ask(self, number: int, count: int = 1, pinned: Pins = NO_PINS) -> list[Config]:
        """Random configurations for a trial's number."""
        rng = random.Random(f"{self._seed}:{number}")  # noqa: S311  # not security-relevant
        return [self._space.sample(rng) | dict(pinned) for _ in range(count)]


class GridSampler:
    """Every combination of some hyperparameters' values, in random order; the others keep their defaults.

    The seed shuffles the order, so that a search that ends early covers the whole grid; for the arguments see
    `SamplerFactory`.
    """

    forecast = False
    first_designs = False  # they may lie off the grid

    def __init__(
        self, space: Space, objectives: tuple[Objective, ...] = (), *, seed: int = 0, hyperparameters: Sequence[str] = ()
    ) -> None:
        del objectives
        names = list(hyperparameters) or [name for name, parameter in space.items() if parameter.choices]
        settings = [list(grid_values(space[name])) for name in names]
        self._points = [space.defaults | dict(zip(names, point, strict=True)) for point in itertools.product(*settings)]
        random.Random(seed).shuffle(self._points)  # noqa: S311  # not security-relevant
        self._done: set[object] = set()

    def tell(self, observation: Observation) -> None:
        """Mark a grid point as done."""
        self._done.add(_key(observation.config))

    def relearn(self, observations: Iterable[Observation]) -> None:
        """Keeps the points that are done."""

    def ask(self, number: int, count: int = 1, pinned: Pins = NO_PINS) -> list[Config]:  # noqa: ARG002  # nothing is drawn
        """The first points that are left; more than requested, as some may be running."""
        return list(itertools.islice(self._left(pinned), count + AHEAD))

    def _left(self, pinned: Pins) -> Iterator[Config]:
        """The points that are not done, each once; with pins some coincide."""
        done = set(self._done)
        for point in self._points:
            config = point | dict(pinned)
            if (key := _key(config)) not in done:
                done.add(key)
                yield config


def _key(config: Config) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(config.items()))


def grid_values(parameter: Hyperparameter) -> Iterator[Any]:
    """The grid values of a hyperparameter."""
    if parameter.choices:
        yield from parameter.choices
        return
    assert parameter.low is not None and parameter.high is not None
    low, high = (math.log(parameter.low), math.log(parameter.high)) if parameter.log else (parameter.low, parameter.high)
    evenly = [low + (high - low) * step / (GRID - 1) for step in range(GRID)]
    values = [min(max(math.exp(value) if parameter.log else value, parameter.low), parameter.high) for value in evenly]
    yield from dict.fromkeys(round(value) for value in values) if parameter.integer else values


def to_frozen_trial(observation: Observation, known: dict[str, BaseDistribution], number: int) -> FrozenTrial:
    """An observation as an Optuna trial; NSGA-II needs its generation."""
    return create_trial(
        params=dict(observation.config),
        distributions=known,
        values=list(observation.values),
        constraints={"limits": observation.violation},
        system_attrs={"NSGAIISampler:generation": number // POPULATION},
    )


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The search space as Optuna distributions."""
    return {name: distribution(parameter) for name, parameter in space.items()}


def distribution(parameter: Hyperparameter) -> BaseDistribution:
    """A hyperparameter as an Optuna distribution."""
    if parameter.choices:
        choices: tuple[Any, ...] = parameter.choices
        return CategoricalDistribution(choices)
    assert parameter.low is not None and parameter.high is not None
    if parameter.integer:
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)


class _FixedSpace:
    """Skips Optuna's search for the parameters that all trials share: here every trial has all of them."""

    known: dict[str, BaseDistribution]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002  # Optuna's signature
        """All parameters with more than one value."""
        return {name: distribution for name, distribution in self.known.items() if not distribution.single()}


class _TPE(_FixedSpace, TPESampler):
    """Tree-structured Parzen estimators (Bergstra et al., 2011; several objectives: Ozaki et al., 2022)."""


class _GP(_FixedSpace, GPSampler):
    """A Gaussian process; seconds per proposal, worth it if a training takes minutes."""


class _NSGA2(_FixedSpace, NSGAIISampler):
    """The genetic algorithm NSGA-II (Deb et al., 2002)."""


def tpe(seed: int) -> BaseSampler:
    """A multivariate TPE sampler; random at first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # multivariate is stable in practice
        return _TPE(seed=seed, multivariate=True, n_startup_trials=8)


def gp(seed: int) -> BaseSampler:
    """A Gaussian-process sampler for noisy objectives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # new, and requested by name
        return _GP(seed=seed, n_startup_trials=8, deterministic_objective=False)


def nsga2(seed: int) -> BaseSampler:
    """NSGA-II with small generations, as budgets are short."""
    return _NSGA2(seed=seed, population_size=POPULATION)


class TpeSampler(OptunaSampler):
    """Tree-structured Parzen estimators; for the arguments see `SamplerFactory`."""

    forecast = True

    def __init__(
        self, space: Space, objectives: tuple[Objective, ...], *, seed: int, hyperparameters: Sequence[str] = ()
    ) -> None:
        del hyperparameters
        super().__init__(tpe, space, objectives, seed=seed)


class GpSampler(OptunaSampler):
    """A Gaussian process; for the arguments see `SamplerFactory`."""

    def __init__(
        self, space: Space, objectives: tuple[Objective, ...], *, seed: int, hyperparameters: Sequence[str] = ()
    ) -> None:
        del hyperparameters
        super().__init__(gp, space, objectives, seed=seed, window=60)


class Nsga2Sampler(OptunaSampler):
    """The genetic algorithm; for the arguments see `SamplerFactory`."""

    def __init__(
        self, space: Space, objectives: tuple[Objective, ...], *, seed: int, hyperparameters: Sequence[str] = ()
    ) -> None:
        del hyperparameters
        super().__init__(nsga2, space, objectives, seed=seed, window=None)
