"""What to try next: enqueued configurations, then known-good first designs, then candidates of the sampler."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from lepton_automl.custom import CUT
from lepton_automl.events import TrialProposed
from lepton_automl.families import TEACHER
from lepton_automl.objective import Objective
from lepton_automl.space import Config, Hyperparameter, Setting, Space
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .forecast import Forecaster
from .pace import Pace
from .sampler import Observation, Sampler
from .samplers import RandomSampler
from .teaching import taught_again, teachers, untaught

TRIES = 20  # draws before giving up on finding a new configuration
DRAWN, AROUND, EVEN = 1, 40, 20  # candidates drawn by the sampler, near the front, and uniformly
REQUESTED = ("enqueued", "retuned")  # origins of requested proposals, which come first
TRUST = 5  # one trial in this many takes the sampler's own draw
FRESH_SHARE = 0.5  # mean cost of a new network, as a share of a full training, since most are stopped


@dataclass(frozen=True)
class Proposal:
    """What to do next.

    Args:
        config: The configuration to train.
        origin: Where it comes from; see `TrialProposed`.
        parent: The trial whose weights it inherits, if any.
        resumed: The stopped trial to resume; None for a new one.
        teachers: The trials whose models teach it, if it has a share of a teacher; none where the user gave the teacher.
    """

    config: Config
    origin: str
    parent: int | None = None
    resumed: int | None = None
    teachers: tuple[int, ...] = ()


class Proposer:
    """Proposes configurations and learns from their trials.

    Its state comes from events alone (`recall`, `tell`, `enqueue` and other requests), and `ask` changes nothing: after a
    crash the journal is replayed and it proposes the same as before.

    Candidates are drawn by the sampler, near the models of the front, and uniformly; the forecaster picks the one with the
    largest expected gain per cost. Children of the front's models compete with them, and so do stopped trials, at the cost
    of their remaining epochs (Swersky et al., Freeze-Thaw Bayesian Optimization, 2014).

    Args:
        state: The study.
        sampler: Draws configurations.
        forecaster: Forecasts gains of candidates; None to take what the sampler draws.
        first: Configurations to try before the sampler is asked.
        children: The configurations that a finished trial can be pruned to.
        pace: Predicts how long an epoch takes; None to count epochs.
        project: Maps drawn configurations to available ones (a recorded table has only some).
        drawn: The space that new configurations are drawn from, a part of the study's; by default all of it.
        identity: Equal for two configurations of the same network and training; duplicates are not proposed.
        seed: Seeds the draws near the front and the uniform ones.
    """

    def __init__(
        self,
        state: StudyState,
        sampler: Sampler,
        *,
        forecaster: Forecaster | None = None,
        first: Iterable[Config] = (),
        children: Callable[[Trial], Iterable[Config]] = lambda _: (),
        pace: Pace | None = None,
        project: Callable[[list[Config]], list[Config]] = lambda drawn: drawn,
        drawn: Space | None = None,
        identity: Callable[[Config], object] = lambda config: tuple(sorted(config.items())),
        seed: int = 0,
    ) -> None:
        self._state, self._sampler, self._forecaster, self._identity = state, sampler, forecaster, identity
        self._children, self._project, self._seed, self._pace = children, project, seed, pace
        self._space: Space = state.settings.space
        self._drawn_space = drawn or self._space
        self._spare = RandomSampler(self._drawn_space, seed=seed)
        self._queue = [Proposal(self._space.complete(config), "first_design") for config in first]
        self._known: dict[int, object] = {}  # each trial's identity
        self._seen: set[object] = set()

    # Requests

    def enqueue(self, config: Config) -> None:
        """Try this configuration next; missing hyperparameters take their pinned or default values.

        Raises:
            ConfigError: A hyperparameter is unknown or out of range.
        """
        self._enqueue([Proposal(self._space.complete(self._with_pins(config)), "enqueued")])

    def retune(self, number: int, count: int) -> None:
        """Try `count` variations of a trial's configuration next."""
        rng = random.Random(f"{self._seed}:retune:{len(self._state.commands)}")  # noqa: S311  # not security-relevant
        config_of = self._state.network_config(self._state.trials[number])
        model, variations = self._with_pins(config_of), dict[object, Config]()
        for _ in range(TRIES * count):
            config = self._with_pins(vary(self._drawn_space, model, rng))
            if self._is_new(config) and len(variations) < count:
                variations.setdefault(self._identity(config), config)
        self._enqueue([Proposal(config, "retuned") for config in variations.values()])

    def pin(self) -> None:
        """Apply pinned values to waiting proposals as well."""
        self._queue = [replace(proposal, config=self._with_pins(proposal.config)) for proposal in self._queue]

    def limits_changed(self) -> None:
        """Update the sampler's observations and the configurations to skip after a change of the hard limits."""
        self._sampler.relearn([known for trial in self._state.trials.values() if (known := self.observation(trial))])
        self._seen = {known for number, known in self._known.items() if not self._is_feasible_now(self._state.trials[number])}

    def _enqueue(self, proposals: list[Proposal]) -> None:
        """Insert proposals after earlier requests and before all others."""
        waiting = sum(proposal.origin in REQUESTED for proposal in self._queue)
        self._queue[waiting:waiting] = proposals

    def _with_pins(self, config: Config) -> Config:
        """A configuration with the pinned values."""
        return config | self._state.pinned

    def _is_feasible_now(self, trial: Trial) -> bool:
        """Whether an untrained trial that exceeded an earlier limit meets the current ones, so that it may be tried again."""
        return trial.status == "infeasible" and not trial.epochs and self._state.within_limits(trial)

    # Events

    def recall(self, event: TrialProposed) -> None:
        """Record a proposed trial, from this process or an earlier one; not an ensemble, which has no configuration."""
        if event.members:
            return
        self._known[event.trial] = self._identity(event.config)
        self._seen.add(self._known[event.trial])
        self._queue = [proposal for proposal in self._queue if self._is_new(proposal.config)]

    def tell(self, trial: Trial) -> None:
        """Record an ended trial."""
        if self._pace and not trial.is_ensemble:
            self._pace.record_end(trial.number)
        observation = self.observation(trial)
        if observation is not None:
            self._sampler.tell(observation)

    def observation(self, trial: Trial) -> Observation | None:
        """What the sampler learns of a trial; None for a failure, and for a network that it cannot draw.

        A stopped trial counts by its last score, as the search would stop it again. A trial that exceeded a limit was never
        trained: it gets the worst score of the front, and its violation marks the infeasible region.
        """
        result, settings = trial.result, self._state.settings
        if result is None or result.status == "failed" or trial.search_profile is None or trial.is_ensemble:
            return None
        if self._drawn_space is not self._space and self._drawn_space.allowed(trial.proposed.config) != trial.proposed.config:
            return None
        score = self._state.last_score(trial)
        violation = max(0.0, settings.deployment.excess(trial.search_profile))
        if math.isnan(score) and not violation:
            return None
        values = [
            (self._worst(goal) if math.isnan(score) else score)
            if goal.is_score
            else goal.scaled(self._state.search_value(trial, goal))
            for goal in settings.objectives
        ]
        return Observation(trial.proposed.config, tuple(values), violation)

    def _worst(self, goal: Objective) -> float:
        front = self._state.front(merged=True)
        return self._state.score(front[-1]) if front else 0.0 if goal.direction == "maximize" else 1e6

    # Proposals

    def ask(self, number: int, in_time: Callable[[Trial], bool] = lambda _: True) -> Proposal | None:
        """A configuration that was not proposed before; None if the search space seems exhausted.

        Args:
            number: The trial's number; it seeds the draws.
            in_time: Whether a stopped trial could finish within the budget.
        """
        proposal = self._next(number, in_time)
        if proposal is None or proposal.resumed is not None or not proposal.config.get(TEACHER):
            return proposal
        return replace(proposal, teachers=teachers(self._state))

    def _next(self, number: int, in_time: Callable[[Trial], bool]) -> Proposal | None:
        for proposal in self._queue:
            if self._is_new(proposal.config):
                return proposal
        return (
            self._taught()
            or self._most_promising(number, in_time)
            or self._drawn(number, self._sampler, "sampler")
            or self._drawn(number, self._spare, "random")
        )

    def _taught(self) -> Proposal | None:
        """A model of the front trained again with a teacher, soon after there is one; None without a forecast."""
        for config, parent in taught_again(self._state) if self._forecaster else ():
            if self._is_new(config) and self._respects_pins(config):
                return Proposal(config, "taught", parent)
        return None

    def _most_promising(self, number: int, in_time: Callable[[Trial], bool]) -> Proposal | None:
        """The candidate with the largest expected gain per cost; None without a forecast."""
        if self._forecaster is None or number % TRUST == 0:  # sometimes the sampler's own draw, or it would not learn
            return None
        untried = self._untried(number)
        resumable = list(filter(in_time, filter(self._can_resume, self._state.checkpointed.values())))
        configs = [(proposal.config, proposal.parent is not None) for proposal in untried]
        gains = [*self._forecaster.gains(configs), *self._forecaster.gains_of_checkpointed(resumable)]
        proposals = [*untried, *(Proposal(trial.proposed.config, "resumed", resumed=trial.number) for trial in resumable)]
        worth = [gain / self._cost(proposal) for gain, proposal in zip(gains, proposals, strict=True)]
        known = [index for index, value in enumerate(worth) if value > 0]
        return proposals[max(known, key=worth.__getitem__)] if known else None

    def _untried(self, number: int) -> list[Proposal]:
        """New networks, and children of the front's models."""
        assert self._forecaster is not None
        rng = random.Random(f"{self._seed}:{number}")  # noqa: S311  # not security-relevant
        models, pinned = [self._state.network_config(model) for model in self._state.front(merged=True)], self._state.pinned
        around = [self._with_pins(vary(self._drawn_space, rng.choice(models), rng)) for _ in range(AROUND)] if models else []
        drawn = [*self._sampler.ask(number * TRIES, DRAWN, pinned), *around, *self._spare.ask(number, EVEN, pinned)]
        drawn = [untaught(self._state, config) for config in self._project(drawn)]
        fresh = [Proposal(config, "sampler") for config in drawn if self._is_new(config)]
        children = [
            Proposal(config, "child", model.number)
            for model in self._state.front(merged=True)
            for config in self._children(model)
            if self._is_new(config) and self._respects_pins(config)
        ]
        return [*fresh, *children]

    def _can_resume(self, trial: Trial) -> bool:
        """Whether a stopped trial meets the current limits and pins."""
        return self._state.within_limits(trial) and self._respects_pins(trial.proposed.config)

    def _respects_pins(self, config: Config) -> bool:
        """Whether a configuration that can no longer change has the pinned values."""
        return config == self._with_pins(config)

    def _cost(self, proposal: Proposal) -> float:
        """What a proposal is expected to cost to its end: seconds where time is the budget, else epochs."""
        trial = None if proposal.resumed is None else self._state.trials[proposal.resumed]
        if trial is not None:
            epochs = max(1.0, self._full_epochs(child=trial.is_child) - trial.epochs)
        else:
            epochs = self._full_epochs(child=proposal.parent is not None) * (FRESH_SHARE if proposal.parent is None else 1.0)
        return epochs * (self._pace.epoch_seconds(proposal.config) if self._pace else 1.0)

    def _full_epochs(self, *, child: bool) -> float:
        """Mean epochs of the finished models; those of the plan while there is none."""
        models = [trial.epochs for trial in self._state.trials.values() if trial.is_child == child and trial.is_packed]
        return sum(models) / len(models) if models else self._state.settings.epochs_of(child=child)

    def _drawn(self, number: int, sampler: Sampler, origin: str) -> Proposal | None:
        for attempt in range(TRIES):
            for drawn in self._project(sampler.ask(number * TRIES + attempt, 1, self._state.pinned)):
                config = untaught(self._state, drawn)
                if self._is_new(config):
                    return Proposal(config, origin)
        return None

    def _is_new(self, config: Config) -> bool:
        return self._identity(config) not in self._seen


def vary(space: Space, config: Config, rng: random.Random) -> Config:
    """A configuration with one to three hyperparameters changed: choices redrawn, numbers moved by about a fifth of their range."""
    names = sorted(space, key=lambda name: (name != CUT, name))  # fixed, so that equal seeds give equal studies
    changed = rng.sample(names, min(len(names), rng.randint(1, 3)))
    return config | {name: _changed(space[name], config[name], rng) for name in changed}


def _changed(parameter: Hyperparameter, setting: Setting, rng: random.Random) -> Setting:
    if parameter.choices or rng.random() < 0.2:
        return parameter.sample(rng)
    assert parameter.low is not None and parameter.high is not None and not isinstance(setting, str)
    low, high = (math.log(parameter.low), math.log(parameter.high)) if parameter.log else (parameter.low, parameter.high)
    at = (math.log(setting) if parameter.log else setting) + rng.gauss(0, 0.2) * (high - low)
    moved = min(max(at, low), high)
    value = min(max(math.exp(moved) if parameter.log else moved, parameter.low), parameter.high)
    return round(value) if parameter.integer else value
