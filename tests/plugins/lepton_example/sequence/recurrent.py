"""A network that reads a sequence number by number, and can wait for the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lepton_automl.plans import TrainPlan
from lepton_automl.recipe import Box, Widths
from lepton_automl.space import Config, Float, Integer, Space
from lepton_automl.specs import DataSpec
from lepton_example.change import ChangeOutput

from .recipe import SequenceRecipe
from .spec import SequenceInput

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class RecurrentRecipe(SequenceRecipe):
    """A state that each number changes, and a layer behind it.

    Args:
        state: Numbers in the state, which are not cut.
        hidden: Channels behind it.
    """

    family: str = "recurrent"
    state: int
    hidden: int

    def describe(self) -> str:
        """Both widths."""
        return f"state of {self.state}, {self.hidden}"

    def diagram(self) -> tuple[Box, ...]:
        """The state, the layer, the outputs."""
        return (
            ("state", self.state, f"changed by each of {self.length} numbers", -1),
            ("hidden", self.hidden, "a layer", 0),
            ("outputs", self.outputs, "outputs", -1),
        )

    @property
    def macs(self) -> int:
        """Of all numbers."""
        return self.length * (self.state * (self.state + 1) + self.hidden * (self.state + self.outputs))

    @property
    def widths(self) -> Widths:
        """What is behind the state."""
        return {"hidden": self.hidden}


class RecurrentFamily:
    """Networks of two programs: the state at the beginning, and a step for each number."""

    name = "recurrent"
    Recipe = RecurrentRecipe
    fastest: ClassVar[Config] = {}

    def accepts(self, spec: DataSpec) -> bool:
        """Sequences, for a task whose decoder calls the two programs."""
        return isinstance(spec.input, SequenceInput) and isinstance(spec.output, ChangeOutput)

    def space(self, spec: DataSpec) -> Space:
        """Two widths, and the rate."""
        return Space(
            hyperparameters={
                "model.state": Integer(4, 32, default=16, log=True),
                "model.hidden": Integer(8, 64, default=16, log=True),
                "train.lr": Float(1e-3, 1e-1, default=1e-2, log=True),
            }
        )

    def recipe(self, config: Config, spec: DataSpec) -> RecurrentRecipe:
        """Every width."""
        assert isinstance(spec.input, SequenceInput)
        widths = {name: int(config[name]) for name in ("state", "hidden")}
        return RecurrentRecipe(outputs=spec.outputs, length=spec.input.length, **widths)

    def initial_designs(self, spec: DataSpec) -> list[Config]:
        """Small and medium."""
        return [{"model.state": 4, "model.hidden": 8}, {}]

    def train_plan(self, spec: DataSpec) -> TrainPlan:
        """A few epochs."""
        return TrainPlan(epochs=12, batch_size=32, lr=1e-2)

    def build(self, recipe: RecurrentRecipe) -> nn.Module:
        """The network."""
        from .recurrent_network import RecurrentNet

        return RecurrentNet(recipe)

    def for_inference(self, network: Any) -> None:
        """Nothing is quicker."""

    def programs(self, network: Any) -> Mapping[str, nn.Module]:
        """What begins a sequence, and what reads a number."""
        from .recurrent_network import Start, Step

        return {"start": Start(network), "step": Step(network)}
