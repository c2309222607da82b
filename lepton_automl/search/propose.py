"""What to try next: what a person enqueued, a first design of known-good recipes, then what the sampler draws."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from lepton_automl.events import TrialProposed
from lepton_automl.objective import Objective
from lepton_automl.space import Config, Hyperparameter, Setting, Space
from lepton_automl.state import StudyState, Trial

from .forecast import Forecaster
from .samplers import Observation, RandomSampler, Sampler

TRIES = 20  # how often a proposal that was seen before is drawn again
DRAWN, AROUND, EVEN = 1, 40, 20  # candidates that the sampler draws, around the front, evenly
REQUESTED = ("enqueued", "retuned")  # where a proposal comes from that a person waits for
TRUST = 5  # every so many trials the sampler's own first draw is taken
FRESH_SHARE = 0.5  # of a whole training that a fresh network takes in the mean, as most are stopped


@dataclass(frozen=True)
class Proposal:
    """What to do next.

    Args:
        config: The configuration to train.
        origin: Why this one; see `TrialProposed`.
        parent: The trial whose weights it inherits, if any.
        resumed: The stopped trial that goes on; None for a new one.
    """

    config: Config
    origin: str
    parent: int | None = None
    resumed: int | None = None


class Proposer:
    """Proposes configurations and learns from what became of them.

    It is told everything by events (`recall`, `tell`, `enqueue` and what else a person asks), and asking changes nothing: a
    search that goes on after a crash tells it the journal, and it proposes what it would have.

    Candidates are drawn by the sampler, around the models of the front, and evenly; the outlook picks the one that is
    expected to add most to the front. Children of the front's models stand beside them, at what they cost, and so do
    stopped trials, at what is left of them (freeze-thaw: Swersky et al., Freeze-Thaw Bayesian Optimization, 2014).

    Args:
        state: The study.
        sampler: Draws configurations.
        forecaster: Tells what a candidate is expected to add; None to take what the sampler draws.
        first: Configurations to try before the sampler is asked.
        children: The configurations that a finished trial's weights can be cut to.
        project: Brings what was drawn to what can be tried (a recorded table has only some configurations).
        identity: What makes two configurations the same network and training; duplicates are not proposed.
        seed: Seeds what is drawn around and evenly.
    """

    def __init__(
        self,
        state: StudyState,
        sampler: Sampler,
        *,
        forecaster: Forecaster | None = None,
        first: Iterable[Config] = (),
        children: Callable[[Trial], Iterable[Config]] = lambda _: (),
        project: Callable[[list[Config]], list[Config]] = lambda drawn: drawn,
        identity: Callable[[Config], object] = lambda config: tuple(sorted(config.items())),
        seed: int = 0,
    ) -> None:
        self._state, self._sampler, self._forecaster, self._identity = state, sampler, forecaster, identity
        self._children, self._project, self._seed = children, project, seed
        self._space: Space = state.settings.space
        self._spare = RandomSampler(self._space, seed)
        self._queue = [Proposal(self._space.complete(config), "portfolio") for config in first]
        self._known: dict[int, object] = {}  # each trial's identity
        self._seen: set[object] = set()

    # What a person asks

    def enqueue(self, config: Config) -> None:
        """Try this configuration next; knobs left out stand at their defaults, or where they are pinned.

        Raises:
            ConfigError: A knob is unknown or out of range.
        """
        self._enqueue([Proposal(self._space.complete(self._with_pins(config)), "enqueued")])

    def retune(self, number: int, count: int) -> None:
        """Try so many variations of a trial's configuration next."""
        rng = random.Random(f"{self._seed}:retune:{len(self._state.commands)}")  # noqa: S311  # no secret hangs on it
        model, found = self._with_pins(self._state.trials[number].proposed.config), dict[object, Config]()
        for _ in range(TRIES * count):
            config = self._with_pins(vary(self._space, model, rng))
            if self._is_new(config) and len(found) < count:
                found.setdefault(self._identity(config), config)
        self._enqueue([Proposal(config, "retuned") for config in found.values()])

    def pin(self) -> None:
        """Knobs were pinned, which what waits holds, too."""
        self._queue = [replace(one, config=self._with_pins(one.config)) for one in self._queue]

    def limits_changed(self) -> None:
        """The hard limits are not what they were: what the sampler was told of them, and what need not be tried, changes."""
        self._sampler.relearn(
            [observation for trial in self._state.trials.values() if (observation := self.observation(trial))]
        )
        self._seen = {known for number, known in self._known.items() if not self._is_feasible_now(self._state.trials[number])}

    def _enqueue(self, proposals: list[Proposal]) -> None:
        """Let proposals wait behind what a person asked for before, and ahead of all else."""
        waiting = sum(one.origin in REQUESTED for one in self._queue)
        self._queue[waiting:waiting] = proposals

    def _with_pins(self, config: Config) -> Config:
        """A configuration with the pinned knobs where they are pinned."""
        return config | self._state.pinned

    def _is_feasible_now(self, trial: Trial) -> bool:
        """Whether a trial broke a limit before any training, and would keep the limits as they stand."""
        return trial.status == "infeasible" and not trial.epochs and self._state.within_limits(trial)

    # What happened

    def recall(self, event: TrialProposed) -> None:
        """A trial was proposed, by this process or by one before it."""
        self._known[event.trial] = self._identity(event.config)
        self._seen.add(self._known[event.trial])
        self._queue = [one for one in self._queue if self._is_new(one.config)]

    def tell(self, trial: Trial) -> None:
        """A trial ended."""
        observation = self.observation(trial)
        if observation is not None:
            self._sampler.tell(observation)

    def observation(self, trial: Trial) -> Observation | None:
        """What the sampler hears of a trial; None for a failure, from which nothing is learnt.

        A stopped trial's score counts as far as it came, which is what it is worth to a search that would stop it again.
        What broke a limit was never trained: its score is the worst seen, and the limit teaches the feasible region.
        """
        result, settings = trial.result, self._state.settings
        if result is None or result.status == "failed" or trial.search_profile is None:
            return None
        score = self._state.last_score(trial)
        violation = max(0.0, settings.target.excess(trial.search_profile))
        if math.isnan(score) and not violation:
            return None
        values = [
            (self._worst(goal) if math.isnan(score) else score)
            if goal.name == "score"
            else math.log(self._state.search_value(trial, goal))
            for goal in settings.objectives
        ]
        return Observation(trial.proposed.config, tuple(values), violation)

    def _worst(self, goal: Objective) -> float:
        front = self._state.front()
        return self._state.score(front[-1]) if front else 0.0 if goal.direction == "maximize" else 1e6

    # What next

    def ask(self, number: int, in_time: Callable[[Trial], bool] = lambda _: True) -> Proposal | None:
        """A configuration that was not proposed before; None when the space seems to hold no more.

        Args:
            number: The trial's number; it seeds what is drawn.
            in_time: Whether a stopped trial could come to its end before the budget does.
        """
        for proposal in self._queue:
            if self._is_new(proposal.config):
                return proposal
        return (
            self._most_promising(number, in_time)
            or self._drawn(number, self._sampler, "sampler")
            or self._drawn(number, self._spare, "random")
        )

    def _most_promising(self, number: int, in_time: Callable[[Trial], bool]) -> Proposal | None:
        """Of all that could be done the one that is expected to add most for what it costs; None while nobody can say."""
        if self._forecaster is None or number % TRUST == 0:  # now and then the sampler's own word, or it would never learn
            return None
        untried, checkpointed = (
            self._untried(number),
            list(filter(in_time, filter(self._can_resume, self._state.checkpointed.values()))),
        )
        born = [(one.config, one.parent is not None) for one in untried]
        gains = [*self._forecaster.gains(born), *self._forecaster.gains_of_checkpointed(checkpointed)]
        offers = [*untried, *(Proposal(one.proposed.config, "thawed", resumed=one.number) for one in checkpointed)]
        worth = [gain / self._cost(one) for gain, one in zip(gains, offers, strict=True)]
        known = [index for index, one in enumerate(worth) if one > 0]
        return offers[max(known, key=worth.__getitem__)] if known else None

    def _untried(self, number: int) -> list[Proposal]:
        """Fresh networks, and children of the front's models."""
        assert self._forecaster is not None
        rng = random.Random(f"{self._seed}:{number}")  # noqa: S311  # no secret hangs on it
        models, pinned = [model.proposed.config for model in self._state.front()], self._state.pinned
        around = [self._with_pins(vary(self._space, rng.choice(models), rng)) for _ in range(AROUND)] if models else []
        drawn = [*self._sampler.ask(number * TRIES, DRAWN, pinned), *around, *self._spare.ask(number, EVEN, pinned)]
        fresh = [Proposal(config, "sampler") for config in self._project(drawn) if self._is_new(config)]
        born = [
            Proposal(config, "child", model.number)
            for model in self._state.front()
            for config in self._children(model)
            if self._is_new(config) and self._respects_pins(config)
        ]
        return [*fresh, *born]

    def _can_resume(self, trial: Trial) -> bool:
        """Whether a stopped trial is still what a person wants."""
        return self._state.within_limits(trial) and self._respects_pins(trial.proposed.config)

    def _respects_pins(self, config: Config) -> bool:
        """Whether a network that cannot be changed any more has the pinned knobs where they are pinned."""
        return config == self._with_pins(config)

    def _cost(self, offer: Proposal) -> float:
        """What it takes to its end, as a share of a whole training."""
        settings, trial = self._state.settings, None if offer.resumed is None else self._state.trials[offer.resumed]
        if trial is not None:
            return max(1, settings.epochs_of(child=trial.is_child) - trial.epochs) / settings.epochs_of(child=False)
        return FRESH_SHARE if offer.parent is None else settings.epochs_of(child=True) / settings.epochs_of(child=False)

    def _drawn(self, number: int, sampler: Sampler, origin: str) -> Proposal | None:
        for attempt in range(TRIES):
            for config in self._project(sampler.ask(number * TRIES + attempt, 1, self._state.pinned)):
                if self._is_new(config):
                    return Proposal(config, origin)
        return None

    def _is_new(self, config: Config) -> bool:
        return self._identity(config) not in self._seen


def vary(space: Space, config: Config, rng: random.Random) -> Config:
    """A configuration with one to three knobs turned: choices drawn anew, numbers moved by about a fifth of their range."""
    names = sorted(space)
    turned = rng.sample(names, min(len(names), rng.randint(1, 3)))
    return config | {name: _turned(space[name], config[name], rng) for name in turned}


def _turned(knob: Hyperparameter, setting: Setting, rng: random.Random) -> Setting:
    if knob.choices or rng.random() < 0.2:
        return knob.sample(rng)
    assert knob.low is not None and knob.high is not None and not isinstance(setting, str)
    low, high = (math.log(knob.low), math.log(knob.high)) if knob.log else (knob.low, knob.high)
    at = (math.log(setting) if knob.log else setting) + rng.gauss(0, 0.2) * (high - low)
    moved = min(max(at, low), high)
    value = min(max(math.exp(moved) if knob.log else moved, knob.low), knob.high)
    return round(value) if knob.integer else value
