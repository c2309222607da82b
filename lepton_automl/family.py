"""The protocol of a network family, which is a design space, and how to look one up.

A family is a plug-in of the group `lepton_automl.families`. Its module does not import torch; the methods from `build` on do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from . import plugins
from .modality import modality_of
from .plans import TrainPlan
from .space import Config, Space
from .specs import DataSpec, InputSpec

if TYPE_CHECKING:
    from torch import nn


class Family(Protocol):
    """A design space.

    Attributes:
        name: Its name, such as `"conv"`.
        Recipe: The class of its recipes, which describe its networks; their `family` is the name.
        fastest: Settings of the fastest network, if these are neither the lowest nor the highest.
    """

    name: str
    Recipe: type[Any]
    fastest: Config

    def accepts(self, spec: DataSpec) -> bool:
        """Whether its networks can learn from such data."""

    def space(self, spec: DataSpec) -> Space:
        """Its hyperparameters, `model.*` and `train.*`."""

    def recipe(self, config: Config, spec: DataSpec) -> Any:
        """A network from the `model.*` settings, given without their prefix, and the data's shape."""

    def initial_designs(self, spec: DataSpec) -> list[Config]:
        """Known-good settings from small to large, in an order that spans the front early; others have their defaults."""

    def train_plan(self, spec: DataSpec) -> TrainPlan:
        """The training plan of its networks if time is not limited."""

    def build(self, recipe: Any) -> nn.Module:
        """The network of a recipe, newly initialised; called with torch's random state seeded."""

    def for_inference(self, network: Any) -> None:
        """Speed up a copy that is no longer trained, in place, without changing its answers."""


@runtime_checkable
class SolvedFamily(Protocol):
    """A family of which some networks are solved at once rather than trained in steps."""

    def solve(self, recipe: Any, data: Any, wait: Callable[[], None]) -> nn.Module | None:
        """The network of a recipe with the weights that fit the training rows best.

        Args:
            recipe: The network.
            data: A `data.open.Data`; only `data.train` and `data.spec` are used.
            wait: To be called some times a second; it returns when work may go on, which pauses during measurements.

        Returns:
            The network; None if a network of this recipe is trained in steps.
        """


class SingleNetworkFamily:
    """Base of a family with one network, which is solved instead of trained: it has no hyperparameters."""

    fastest: ClassVar[Config] = {}

    def space(self, spec: DataSpec) -> Space:
        """Empty: its regularisation is chosen when it is solved."""
        del spec
        return Space(hyperparameters={})

    def initial_designs(self, spec: DataSpec) -> list[Config]:
        """The one network."""
        del spec
        return [{}]

    def train_plan(self, spec: DataSpec) -> TrainPlan:
        """A plan that is not used: the network is solved."""
        del spec
        return TrainPlan()


@runtime_checkable
class ProgramFamily(Protocol):
    """A family whose networks are exported as several programs, which the decoder of the task runs; see `generation`."""

    def programs(self, network: Any) -> Mapping[str, nn.Module]:
        """The programs of a finished network by name, such as `"encoder"` and `"step"`; they share its weights.

        Each is called with arrays by argument name, all with the same first axis, and returns a dict of tensors, whose names
        differ from those of its arguments. What one call returns as `next_state`, the loop passes to the next one as `state`.
        Only the first axis of an argument may change from call to call.
        """


@runtime_checkable
class StartingFamily(Protocol):
    """A family of which some networks start from weights that were published and are kept with the data, or are solved."""

    def start(self, network: Any, data: Any, wait: Callable[[], None]) -> None:
        """Put these weights into a newly built network that has not been pruned, in place.

        Args:
            network: The network.
            data: A `data.open.Data`; only `data.train` and `data.spec` are used.
            wait: To be called some times a second; it returns when work may go on, which pauses during measurements.
        """


@runtime_checkable
class ScalingFamily(Protocol):
    """A family whose settings choose the form of the input, such as the size of images; see `modality.ScalableModality`."""

    def input(self, config: Config, spec: DataSpec) -> InputSpec:
        """The input of a configuration's network, from its `model.*` settings, given without their prefix."""


def family_named(name: str) -> Family:
    """A family by its name.

    Raises:
        ConfigError: No such plug-in is installed.
    """
    family: Family = plugins.instance("families", name)
    return family


def family_for(spec: DataSpec, name: str = "") -> Family:
    """The family that is searched for some data.

    Args:
        spec: The data.
        name: The requested family; empty for the modality's usual one.
    """
    return family_named(name or modality_of(spec).family)


def even(width: float) -> int:
    """A number of channels that suits kernels: a multiple of 8 from 16 on, of 4 below."""
    step = 8 if width >= 16 else 4
    return max(4, round(width / step) * step)
