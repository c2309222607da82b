"""The network of an ensemble."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lepton_automl.models.build import RecipeNet, build
from lepton_automl.models.layers import WidthMap

from .recipe import EnsembleRecipe


class EnsembleNet(RecipeNet):
    """Several networks with the same inputs: `forward` gives the outputs of all, [N, members, K].

    The answers of an ensemble are the mean over the axis of members. A network may itself have several; each network's outputs
    are repeated so that its share of the axis is its weight.

    Args:
        recipe: The networks, and the weight of each.
        networks: Finished networks to use; by default they are newly built.
    """

    ensemble = True

    def __init__(self, recipe: EnsembleRecipe, networks: Sequence[RecipeNet] | None = None) -> None:
        super().__init__()
        self.recipe = recipe
        if networks is None:
            networks = [build(own) for own in recipe.networks]
        self.networks = nn.ModuleList(networks)
        self.register_buffer("places", torch.tensor(places(recipe.heads, recipe.weights)), persistent=False)
        self.places: Tensor
        self.finish: nn.Module = nn.Identity()

    def forward(self, **inputs: Tensor) -> Tensor:
        """The stored rows to outputs [N, members, K]."""
        outputs = []
        for network in self.networks:
            own: Tensor = network(**inputs)
            outputs.append(own if network.ensemble else own.unsqueeze(1))
        finished: Tensor = self.finish(torch.cat(outputs, 1).index_select(1, self.places))
        return finished

    @property
    def width_map(self) -> WidthMap:
        """Empty: its channels are not pruned."""
        return WidthMap()

    @property
    def stage_modules(self) -> tuple[str, ...]:
        """Empty: no block is removed."""
        return ()


def places(heads: Sequence[int], weights: Sequence[int]) -> list[int]:
    """Which outputs, side by side, have the networks' weights as their shares.

    Args:
        heads: How many outputs each network has.
        weights: The weight of each network.
    """
    common, chosen, first = math.lcm(*heads), [], 0
    for count, weight in zip(heads, weights, strict=True):
        chosen += [first + place for _ in range(weight * common // count) for place in range(count)]
        first += count
    return chosen
