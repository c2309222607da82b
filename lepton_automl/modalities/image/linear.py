"""The linear model of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lepton_automl.family import SingleNetworkFamily
from lepton_automl.modalities.image.recipe import SIDE, LinearImageRecipe
from lepton_automl.space import Config
from lepton_automl.specs import DataSpec

from .spec import ImageInput, image_input

if TYPE_CHECKING:
    from .linear_network import LinearImageNet


class LinearImageFamily(SingleNetworkFamily):
    """One network: ridge, logistic or quantile regression on the pixels of a small copy, by the task."""

    name = "linear_image"
    Recipe = LinearImageRecipe

    def accepts(self, spec: DataSpec) -> bool:
        """Whether the data are images; any size is accepted."""
        return isinstance(spec.input, ImageInput)

    def recipe(self, config: Config, spec: DataSpec) -> LinearImageRecipe:
        """The one recipe."""
        del config
        own = image_input(spec)
        channels, height, width = own.shape
        return LinearImageRecipe(
            outputs=spec.outputs,
            inputs=channels * min(SIDE, height) * min(SIDE, width),
            image=own.shape,
            pixel_mean=own.pixel_mean,
            pixel_std=own.pixel_std,
        )

    def build(self, recipe: LinearImageRecipe) -> LinearImageNet:
        """The network."""
        from .linear_network import LinearImageNet

        return LinearImageNet(recipe)

    def solve(self, recipe: LinearImageRecipe, data: Any, wait: Callable[[], None]) -> LinearImageNet:
        """The network with the weights that fit the training rows best."""
        from lepton_automl.training.solve import fit_head

        network = self.build(recipe)
        fit_head(network.head, network.features, data.train.inputs, data.train.targets, data.spec, wait=wait)
        return network

    def for_inference(self, network: Any) -> None:
        """Merge the standardisation of the pixels into the layer."""
        from .linear_network import merge_standardisation

        merge_standardisation(network)
