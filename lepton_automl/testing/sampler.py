"""The contract of samplers. A plug-in's own test inherits `SamplerContract` and provides its factory."""

from __future__ import annotations

import math
from typing import ClassVar

from lepton_automl.objective import Objective
from lepton_automl.search.sampler import Observation, Sampler, SamplerFactory
from lepton_automl.space import Categorical, Config, Float, Integer, Space

OBJECTIVES = (Objective(name="score", direction="maximize"), Objective(name="latency_ms", direction="minimize"))
SPACE = Space(
    hyperparameters={
        "model.width": Integer(8, 64, default=16, log=True),
        "model.depth": Categorical(*range(1, 17), default=2),
        "model.norm": Categorical("batch", "none", default="batch"),
        "train.lr": Float(1e-4, 1e-1, default=1e-3, log=True),
    }
)
TRIALS = 9
TOO_SLOW = 40  # the width above which a limit is exceeded


class SamplerContract:
    """The contract as pytest tests: a subclass provides `factory`.

    Attributes:
        factory: Makes the sampler under test; the object that its entry point names.
    """

    factory: ClassVar[SamplerFactory]

    def make(self, seed: int = 0) -> Sampler:
        """A sampler that has observed nothing."""
        sampler: Sampler = type(self).factory(SPACE, OBJECTIVES, seed=seed)
        return sampler

    def trained_sampler(self, seed: int = 0, trials: int = TRIALS) -> tuple[Sampler, list[Observation]]:
        """A sampler that has observed its own first draws, and what it has observed."""
        sampler, observations = self.make(seed), []
        for number in range(trials):
            observations.append(observed(sampler.ask(number)[0]))
            sampler.tell(observations[-1])
        return sampler, observations

    def test_every_draw_is_a_whole_configuration_of_the_space(self) -> None:
        """All hyperparameters, each within its range."""
        _, observations = self.trained_sampler()
        assert all(SPACE.complete(known.config) == known.config for known in observations)

    def test_it_gives_as_many_as_requested(self) -> None:
        """If the space has that many."""
        assert len(self.trained_sampler()[0].ask(TRIALS, 3)) >= 3

    def test_draws_depend_on_observations_and_number_alone(self) -> None:
        """`ask` changes nothing, so that a replayed search continues in the same way."""
        sampler, observations = self.trained_sampler()
        replayed = self.make()
        for known in observations:
            replayed.tell(known)
        sampler.ask(TRIALS + 1)
        assert sampler.ask(TRIALS) == sampler.ask(TRIALS) == replayed.ask(TRIALS)

    def test_the_same_observations_again_change_nothing(self) -> None:
        """`relearn` replaces what was observed; it does not add to it."""
        sampler, observations = self.trained_sampler()
        before = sampler.ask(TRIALS)
        sampler.relearn(observations)
        assert sampler.ask(TRIALS) == before

    def test_pinned_hyperparameters_keep_their_values(self) -> None:
        """One of them, or all."""
        sampler, _ = self.trained_sampler()
        pinned = {"model.norm": "none"}
        for number in range(TRIALS, TRIALS + 3):
            for drawn in sampler.ask(number, 1, pinned):
                assert drawn["model.norm"] == "none" and SPACE.complete(drawn) == drawn
        assert all(drawn == SPACE.defaults for drawn in sampler.ask(TRIALS + 3, 1, SPACE.defaults))

    def test_any_seed_will_do(self) -> None:
        """Up to the largest of 32 bits."""
        assert self.make(2**32 - 1).ask(0)

    def test_it_declares_how_it_is_used(self) -> None:
        """Two declarations; see `Sampler`."""
        sampler = self.make()
        assert isinstance(sampler.forecast, bool) and isinstance(sampler.first_designs, bool)


def observed(config: Config) -> Observation:
    """The observation of a trial: wide networks are better and slower, and some too slow."""
    width = float(config["model.width"])
    return Observation(config, (1 - 1 / width, math.log(width)), max(0.0, width - TOO_SLOW))
