"""Networks for sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from lepton_automl.plans import TrainPlan
from lepton_automl.space import Config, Float, Integer, Space
from lepton_automl.specs import DataSpec
from lepton_example.caption import CaptionOutput

from .recipe import PooledRecipe
from .spec import SequenceInput

if TYPE_CHECKING:
    from torch import nn


class PooledFamily:
    """Networks that take the mean over a sequence."""

    name = "pooled"
    Recipe = PooledRecipe
    fastest: ClassVar[Config] = {}

    def accepts(self, spec: DataSpec) -> bool:
        """Sequences, for what is answered in one go."""
        return isinstance(spec.input, SequenceInput) and not isinstance(spec.output, CaptionOutput)

    def space(self, spec: DataSpec) -> Space:
        """Two widths, and the rate."""
        return Space(
            hyperparameters={
                "model.width": Integer(8, 64, default=32, log=True),
                "model.hidden": Integer(8, 64, default=32, log=True),
                "train.lr": Float(1e-3, 1e-1, default=1e-2, log=True),
            }
        )

    def recipe(self, config: Config, spec: DataSpec) -> PooledRecipe:
        """Every width."""
        assert isinstance(spec.input, SequenceInput)
        widths = {name: int(config[name]) for name in ("width", "hidden")}
        return PooledRecipe(outputs=spec.outputs, length=spec.input.length, **widths)

    def initial_designs(self, spec: DataSpec) -> list[Config]:
        """Small, medium, large."""
        return [{"model.width": 8, "model.hidden": 8}, {}, {"model.width": 64, "model.hidden": 64}]

    def train_plan(self, spec: DataSpec) -> TrainPlan:
        """A few epochs."""
        return TrainPlan(epochs=12, batch_size=32, lr=1e-2)

    def build(self, recipe: PooledRecipe) -> nn.Module:
        """The network."""
        from .network import PooledNet

        return PooledNet(recipe)

    def for_inference(self, network: Any) -> None:
        """Nothing is quicker."""
