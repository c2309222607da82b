"""What draws configurations: Optuna's samplers, each a pure function of what was told and of the number asked for.

A sampler is told finished trials and asked for candidates. It holds no state that a replayed journal would not give it
back: that is what makes a search go on after a crash as if nothing had happened.
"""

from __future__ import annotations

import itertools
import math
import random
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from lepton_automl.objective import Objective
from lepton_automl.space import Config, Hyperparameter, Setting, Space

WINDOW = 200  # finished trials that a model-based sampler looks at: the best, and the latest of the rest
POPULATION = 20  # of the genetic algorithm
AHEAD = 64  # points of a grid that may be on their way at once
GRID = 5  # settings of a knob over numbers on a grid
Pins = Mapping[str, Setting]
NO_PINS: Pins = {}  # no knob is held


@dataclass(frozen=True)
class Observation:
    """What became of a configuration.

    Args:
        config: Its knobs.
        values: One number an objective, in the objective's own direction; times and sizes as logarithms.
        violation: By how much a hard limit was broken, above 0; or 0.
    """

    config: Config
    values: tuple[float, ...]
    violation: float = 0.0


class Sampler(Protocol):
    """Draws configurations."""

    def tell(self, observation: Observation) -> None:
        """Learn from a finished trial."""

    def relearn(self, observations: Iterable[Observation]) -> None:
        """Forget what was told, and learn from these: a hard limit is not what it was."""

    def ask(self, number: int, count: int = 1, pinned: Pins = NO_PINS) -> list[Config]:
        """So many candidates, the same ones for the same number after the same observations; fewer when none are left.

        Args:
            number: The trial's number; it seeds what is drawn.
            count: How many.
            pinned: Knobs that hold still; what was learnt of the others stands.
        """


class OptunaSampler:
    """One of Optuna's samplers over a window of what was told.

    The cost of a proposal grows with the trials that a sampler looks at (Optuna's TPE: 93 ms at 1,000 trials), and the
    old bad ones teach little: beyond `WINDOW` trials only the best are kept, by non-dominated sorting, and the latest.

    Args:
        make: Makes the sampler for a seed.
        space: The knobs.
        objectives: What to make better.
        seed: Seeds the sampler, together with the number asked for.
        window: Finished trials that are looked at, at most twice as many; None for all.
    """

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
        """Begin anew with these."""
        self._observations = list(observations)
        if self._window is not None and len(self._observations) > 2 * self._window:
            self._observations = self._worth_keeping(self._observations, self._window)
        self._study = self._new_study(self._observations)

    def ask(self, number: int, count: int = 1, pinned: Pins = NO_PINS) -> list[Config]:
        """Candidates drawn anew for the number; none of them stays behind in the study.

        Knobs that are pinned are left out of what is drawn: the others are drawn by what all trials say of them, as by
        Optuna's `PartialFixedSampler`.
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
        study.add_trials([to_frozen_trial(one, self._distributions, number) for number, one in enumerate(observations)])
        return study

    def _worth_keeping(self, observations: Sequence[Observation], count: int) -> list[Observation]:
        """Half of them the best by rank, half of them the latest, in the order in which they were told."""
        from lepton_automl.front import ranks

        rows = [[goal.cost(value) for goal, value in zip(self._objectives, one.values, strict=True)] for one in observations]
        rank = ranks(rows)
        best = sorted(range(len(observations)), key=lambda n: (observations[n].violation, rank[n], -n))[: count // 2]
        latest = range(len(observations) - 1, -1, -1)
        kept = set(itertools.islice(dict.fromkeys([*best, *latest]), count))
        return [one for number, one in enumerate(observations) if number in kept]


class RandomSampler:
    """Every knob drawn on its own."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._seed = space, seed

    def tell(self, observation: Observation) -> None:
        """Nothing is learnt."""

    def relearn(self, observations: Iterable[Observation]) -> None:
        """Nothing is learnt."""

    def ask(self, number: int, count: int = 1, pinned: Pins = NO_PINS) -> list[Config]:
        """Drawn anew for the number."""
        rng = random.Random(f"{self._seed}:{number}")  # noqa: S311  # no secret hangs on it
        return [self._space.sample(rng) | dict(pinned) for _ in range(count)]


class GridSampler:
    """Every combination of the named knobs' settings, in an order shuffled by the seed; the other knobs stand still.

    Args:
        space: The knobs.
        knobs: Those that are turned; by default all with choices.
        seed: Shuffles the order, so that a search that ends early has seen all corners.
    """

    def __init__(self, space: Space, knobs: Sequence[str] = (), *, seed: int = 0) -> None:
        names = list(knobs) or [name for name, knob in space.items() if knob.choices]
        settings = [list(grid_values(space[name])) for name in names]
        self._points = [space.defaults | dict(zip(names, point, strict=True)) for point in itertools.product(*settings)]
        random.Random(seed).shuffle(self._points)  # noqa: S311  # no secret hangs on it
        self._done: set[object] = set()

    def tell(self, observation: Observation) -> None:
        """A point is done."""
        self._done.add(_key(observation.config))

    def relearn(self, observations: Iterable[Observation]) -> None:
        """What was done stays done."""

    def ask(self, number: int, count: int = 1, pinned: Pins = NO_PINS) -> list[Config]:  # noqa: ARG002  # nothing is drawn
        """The first points that are left, more than are asked for, as some of them may be on their way."""
        return list(itertools.islice(self._left(pinned), count + AHEAD))

    def _left(self, pinned: Pins) -> Iterator[Config]:
        """The points that are not done, each once: pinned, some fall together."""
        seen = set(self._done)
        for point in self._points:
            held = point | dict(pinned)
            if (key := _key(held)) not in seen:
                seen.add(key)
                yield held


def _key(config: Config) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(config.items()))


def grid_values(knob: Hyperparameter) -> Iterator[Any]:
    """A knob's settings on a grid."""
    if knob.choices:
        yield from knob.choices
        return
    assert knob.low is not None and knob.high is not None
    low, high = (math.log(knob.low), math.log(knob.high)) if knob.log else (knob.low, knob.high)
    evenly = [low + (high - low) * step / (GRID - 1) for step in range(GRID)]
    values = [min(max(math.exp(one) if knob.log else one, knob.low), knob.high) for one in evenly]
    yield from dict.fromkeys(round(value) for value in values) if knob.integer else values


def to_frozen_trial(observation: Observation, known: dict[str, BaseDistribution], number: int) -> FrozenTrial:
    """The observation as Optuna knows it; the genetic algorithm needs to know its generation."""
    return create_trial(
        params=dict(observation.config),
        distributions=known,
        values=list(observation.values),
        constraints={"limits": observation.violation},
        system_attrs={"NSGAIISampler:generation": number // POPULATION},
    )


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The space as Optuna knows it."""
    return {name: distribution(knob) for name, knob in space.items()}


def distribution(knob: Hyperparameter) -> BaseDistribution:
    """A knob as Optuna knows it."""
    if knob.choices:
        choices: tuple[Any, ...] = knob.choices
        return CategoricalDistribution(choices)
    assert knob.low is not None and knob.high is not None
    if knob.integer:
        return IntDistribution(int(knob.low), int(knob.high), log=knob.log)
    return FloatDistribution(knob.low, knob.high, log=knob.log)


class _FixedSpace:
    """A sampler that need not look through all trials for the knobs that they share: every trial has all of them."""

    known: dict[str, BaseDistribution]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002  # Optuna's signature
        """All knobs that can be turned."""
        return {name: distribution for name, distribution in self.known.items() if not distribution.single()}


class _TPE(_FixedSpace, TPESampler):
    """Tree-structured Parzen estimators (Bergstra et al., 2011; several objectives: Ozaki et al., 2022)."""


class _GP(_FixedSpace, GPSampler):
    """A Gaussian process; seconds a proposal, worth it where a training takes minutes."""


class _NSGA2(_FixedSpace, NSGAIISampler):
    """The genetic algorithm NSGA-II (Deb et al., 2002)."""


def tpe(seed: int) -> BaseSampler:
    """Of several knobs at once, as they hang together; random at first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # multivariate is stable in practice
        return _TPE(seed=seed, multivariate=True, n_startup_trials=8)


def gp(seed: int) -> BaseSampler:
    """Of noisy objectives, as trainings are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # new, and asked for by name
        return _GP(seed=seed, n_startup_trials=8, deterministic_objective=False)


def nsga2(seed: int) -> BaseSampler:
    """Of small generations, as budgets are short."""
    return _NSGA2(seed=seed, population_size=POPULATION)


def sampler(name: str, space: Space, objectives: tuple[Objective, ...], *, seed: int, knobs: Sequence[str] = ()) -> Sampler:
    """A sampler by its name.

    Args:
        name: One of `SAMPLERS`.
        space: The knobs.
        objectives: What to make better.
        seed: Seeds it.
        knobs: For a grid: those that are turned.
    """
    match name:
        case "tpe":
            return OptunaSampler(tpe, space, objectives, seed=seed)
        case "gp":
            return OptunaSampler(gp, space, objectives, seed=seed, window=60)
        case "nsga2":
            return OptunaSampler(nsga2, space, objectives, seed=seed, window=None)
        case "grid":
            return GridSampler(space, knobs, seed=seed)
        case _:
            return RandomSampler(space, seed)
