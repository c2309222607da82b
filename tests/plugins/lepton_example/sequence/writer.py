"""A network that reads a sequence at once and writes a caption letter by letter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lepton_automl.plans import TrainPlan
from lepton_automl.recipe import Box, Widths
from lepton_automl.space import Config, Float, Integer, Space
from lepton_automl.specs import DataSpec
from lepton_example.caption import CaptionOutput

from .recipe import SequenceRecipe
from .spec import SequenceInput

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class WriterRecipe(SequenceRecipe):
    """The mean of all numbers becomes a state, which each letter changes.

    Args:
        longest: Letters of a caption at most; `outputs` are the scores of all tokens for each of them.
        width: Channels of a number.
        state: Numbers in the state, which are not cut.
    """

    family: str = "writer"
    longest: int
    width: int
    state: int

    def describe(self) -> str:
        """Both widths."""
        return f"mean of {self.width}, state of {self.state}"

    def diagram(self) -> tuple[Box, ...]:
        """The encoder, the state, the letters."""
        return (
            ("numbers", self.width, f"each of {self.length} numbers by itself", -1),
            ("state", self.state, "their mean, changed by each letter", 0),
            ("letters", self.tokens, f"up to {self.longest} letters", -1),
        )

    @property
    def tokens(self) -> int:
        """The letters and the end mark."""
        return self.outputs // self.longest

    @property
    def macs(self) -> int:
        """Of the encoder and the longest caption."""
        step = self.state * (self.state + self.tokens)
        return self.length * 2 * self.width + self.width * self.state + self.longest * step

    @property
    def widths(self) -> Widths:
        """That of a number."""
        return {"width": self.width}


class WriterFamily:
    """Networks of two programs: an encoder that runs once, and a step for each letter."""

    name = "writer"
    Recipe = WriterRecipe
    fastest: ClassVar[Config] = {}

    def accepts(self, spec: DataSpec) -> bool:
        """Captions of sequences."""
        return isinstance(spec.input, SequenceInput) and isinstance(spec.output, CaptionOutput)

    def space(self, spec: DataSpec) -> Space:
        """Two widths, and the rate."""
        return Space(
            hyperparameters={
                "model.width": Integer(8, 64, default=32, log=True),
                "model.state": Integer(8, 64, default=32, log=True),
                "train.lr": Float(1e-3, 1e-1, default=1e-2, log=True),
            }
        )

    def recipe(self, config: Config, spec: DataSpec) -> WriterRecipe:
        """Every width."""
        assert isinstance(spec.input, SequenceInput)
        assert isinstance(spec.output, CaptionOutput)
        widths = {name: int(config[name]) for name in ("width", "state")}
        return WriterRecipe(outputs=spec.outputs, length=spec.input.length, longest=spec.output.longest, **widths)

    def initial_designs(self, spec: DataSpec) -> list[Config]:
        """Small and medium."""
        return [{"model.width": 8, "model.state": 8}, {}]

    def train_plan(self, spec: DataSpec) -> TrainPlan:
        """A few epochs."""
        return TrainPlan(epochs=30, batch_size=32, lr=1e-2)

    def build(self, recipe: WriterRecipe) -> nn.Module:
        """The network."""
        from .writer_network import WriterNet

        return WriterNet(recipe)

    def for_inference(self, network: Any) -> None:
        """Nothing is quicker."""

    def programs(self, network: Any) -> Mapping[str, nn.Module]:
        """What reads the sequence, and what writes a letter."""
        from .writer_network import Encoder, Step

        return {"encoder": Encoder(network), "step": Step(network)}
