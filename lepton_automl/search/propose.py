"""What to try next: Optuna by ask and tell, after a first design of known-good recipes."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import Study
from optuna.trial import Trial as OptunaTrial
from optuna.trial import TrialState

from lepton_automl.space import Config, Knob, Space
from lepton_automl.values import Objective

TRIES = 20  # how often a proposal that was seen before is drawn again


@dataclass(frozen=True)
class Proposal:
    """A configuration to try, and why this one."""

    config: Config
    origin: str


class Proposer:
    """Proposes configurations and learns from what became of them.

    The sampler is TPE (Bergstra et al., 2011; multi-objective: Ozaki et al., 2022). It is seeded anew for every
    proposal by the trial's number, so that a search continued after a crash proposes what the unbroken one would have.

    Args:
        space: The knobs.
        objectives: What to make better.
        first: Configurations to try before the sampler is asked.
        identity: What makes two configurations the same network and training; duplicates are not proposed.
        seed: Seeds the sampler.
    """

    def __init__(
        self,
        space: Space,
        objectives: tuple[Objective, ...],
        *,
        first: Iterable[Config] = (),
        identity: Callable[[Config], object] = lambda config: tuple(sorted(config.items())),
        seed: int = 0,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space, self._objectives, self._seed, self._identity = space, objectives, seed, identity
        self._distributions = {name: _distribution(knob) for name, knob in space.items()}
        self._queue = [Proposal(space.complete(config), "portfolio") for config in first]
        self._seen: set[object] = set()
        self._asked: dict[int, OptunaTrial] = {}
        self.study: Study = optuna.create_study(directions=[goal.direction for goal in objectives])

    def enqueue(self, config: Config) -> None:
        """Try this configuration next; knobs left out stand at their defaults.

        Raises:
            ConfigError: A knob is unknown or out of range.
        """
        self._queue.insert(0, Proposal(self._space.complete(config), "enqueued"))

    def ask(self, trial: int) -> Proposal | None:
        """A configuration that was not proposed before; None when the space seems to hold no more.

        Args:
            trial: The trial's number; names it in `tell`, and seeds the sampler.
        """
        while self._queue:
            proposal = self._queue.pop(0)
            if self._is_new(proposal.config):
                self._asked[trial] = self._enqueued(proposal.config)
                return proposal
        return self._ask_sampler(trial)

    def tell(self, trial: int, values: dict[str, float], *, violation: float = 0.0) -> None:
        """What became of a trial.

        Args:
            trial: Its number.
            values: Each objective's value; a stopped trial's score as far as it came, which is what it is worth to a
                search that would stop it again. Empty for a failure, from which nothing is learnt.
            violation: By how much a hard limit was broken, above 0; or 0.
        """
        asked = self._asked.pop(trial)
        numbers = [values.get(goal.name, math.nan) for goal in self._objectives]
        if not values or any(math.isnan(number) for number in numbers):
            if violation > 0:  # never trained: the limit teaches the feasible region, the score is the worst seen
                asked.set_constraint("limits", violation)
                self.study.tell(asked, [self._worst(n, number) for n, number in enumerate(numbers)])
            else:
                self.study.tell(asked, state=TrialState.FAIL)
            return
        asked.set_constraint("limits", violation)
        self.study.tell(asked, numbers)

    def _worst(self, column: int, number: float) -> float:
        if not math.isnan(number):
            return number
        goal = self._objectives[column]
        seen = [trial.values[column] for trial in self.study.get_trials(deepcopy=False) if trial.values]
        return max(seen, key=goal.cost) if seen else 0.0

    def _is_new(self, config: Config) -> bool:
        key = self._identity(config)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _enqueued(self, config: Config) -> OptunaTrial:
        self.study.enqueue_trial(dict(config))
        return self.study.ask(self._distributions)

    def _ask_sampler(self, trial: int) -> Proposal | None:
        for attempt in range(TRIES):
            self.study.sampler = self._sampler(trial * TRIES + attempt)
            asked = self.study.ask(self._distributions)
            config: Config = dict(asked.params)
            if self._is_new(config):
                self._asked[trial] = asked
                return Proposal(config, "sampler")
            self.study.tell(asked, state=TrialState.FAIL)
        rng = random.Random(f"{self._seed}:{trial}")  # noqa: S311  # no secret hangs on it
        for _ in range(TRIES * 10):
            config = self._space.sample(rng)
            if self._is_new(config):
                self._asked[trial] = self._enqueued(config)
                return Proposal(config, "random")
        return None

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # multivariate is stable in practice
            return optuna.samplers.TPESampler(
                seed=(self._seed * 1_000_003 + number) % 2**32, multivariate=True, n_startup_trials=8
            )


def _distribution(knob: Knob) -> BaseDistribution:
    if knob.choices:
        choices: tuple[Any, ...] = knob.choices
        return CategoricalDistribution(choices)
    assert knob.low is not None and knob.high is not None
    if knob.integer:
        return IntDistribution(int(knob.low), int(knob.high), log=knob.log)
    return FloatDistribution(knob.low, knob.high, log=knob.log)
