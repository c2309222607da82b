"""The protocol of samplers, which draw configurations, the observations they learn from, and their choice by name.

Samplers are plug-ins of the kind `"samplers"`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lepton_automl import plugins
from lepton_automl.objective import Objective
from lepton_automl.space import Config, Setting, Space

Pins = Mapping[str, Setting]
NO_PINS: Pins = {}


@dataclass(frozen=True)
class Observation:
    """The outcome of a configuration.

    Args:
        config: Its hyperparameters.
        values: One number per objective, in its own direction; times and sizes as logarithms.
        violation: By how much a hard limit was exceeded; 0 if none was.
    """

    config: Config
    values: tuple[float, ...]
    violation: float = 0.0


class Sampler(Protocol):
    """Draws configurations.

    What it draws depends only on its observations and the trial's number, so that a search continues after a crash from its
    replayed journal.

    Attributes:
        forecast: Whether its draws compete with candidates near the front and with children of finished models, by the gain
            that is forecast for each; else every trial is one of its draws.
        first_designs: Whether the family's first designs are tried before it is asked.
    """

    forecast: bool
    first_designs: bool

    def tell(self, observation: Observation) -> None:
        """Learn from a finished trial."""

    def relearn(self, observations: Iterable[Observation]) -> None:
        """Replace all observations, after a change of the hard limits."""

    def ask(self, number: int, count: int = 1, pinned: Pins = NO_PINS) -> list[Config]:
        """Candidates, the same for the same number after the same observations; fewer if the space is exhausted.

        Args:
            number: The trial's number; it seeds the draws.
            count: How many.
            pinned: Fixed hyperparameters; what was learnt of the others is kept.
        """


class SamplerFactory(Protocol):
    """What an entry point of the kind `"samplers"` names, such as a sampler's class."""

    def __call__(
        self, space: Space, objectives: tuple[Objective, ...], *, seed: int, hyperparameters: Sequence[str] = ()
    ) -> Sampler:
        """Make a sampler.

        Args:
            space: The search space.
            objectives: The objectives and their directions.
            seed: Seeds it, together with the trial's number.
            hyperparameters: For a grid: the hyperparameters that vary, all with choices if none is named.
        """


def make_sampler(
    name: str, space: Space, objectives: tuple[Objective, ...], *, seed: int, hyperparameters: Sequence[str] = ()
) -> Sampler:
    """A sampler by its name; for the other arguments see `SamplerFactory`.

    Raises:
        ConfigError: There is no sampler of that name.
        ExtraError: Its package cannot be imported.
    """
    factory: SamplerFactory = plugins.load("samplers", name)
    return factory(space, objectives, seed=seed, hyperparameters=hyperparameters)
