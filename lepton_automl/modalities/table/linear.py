"""The linear model of a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lepton_automl.family import SingleNetworkFamily
from lepton_automl.modalities.table.recipe import LinearTableRecipe
from lepton_automl.space import Config
from lepton_automl.specs import DataSpec

from .spec import TableInput, table_input

if TYPE_CHECKING:
    from .linear_network import LinearTableNet


class LinearTableFamily(SingleNetworkFamily):
    """One network: ridge, logistic or quantile regression, by the task."""

    name = "linear_table"
    Recipe = LinearTableRecipe

    def accepts(self, spec: DataSpec) -> bool:
        """Whether the data are a table; any columns are accepted."""
        return isinstance(spec.input, TableInput)

    def recipe(self, config: Config, spec: DataSpec) -> LinearTableRecipe:
        """The one recipe."""
        del config
        own = table_input(spec)
        inputs = own.numeric + sum(own.cardinalities)
        return LinearTableRecipe(outputs=spec.outputs, inputs=inputs, numeric=own.numeric, cardinalities=own.cardinalities)

    def build(self, recipe: LinearTableRecipe) -> LinearTableNet:
        """The network."""
        from .linear_network import LinearTableNet

        return LinearTableNet(recipe)

    def solve(self, recipe: LinearTableRecipe, data: Any, wait: Callable[[], None]) -> LinearTableNet:
        """The network with the weights that fit the training rows best."""
        from lepton_automl.training.solve import fit_head

        network = self.build(recipe)
        fit_head(network.head, network.features, data.train.inputs, data.train.targets, data.spec, wait=wait)
        return network

    def for_inference(self, network: Any) -> None:
        """Nothing: the network needs no changes."""
        del network
