"""The pooling network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lepton_automl.models.build import RecipeNet
from lepton_automl.models.layers import Channels, WidthMap

from .recipe import PooledRecipe


class PooledNet(RecipeNet):
    """`forward(values=[N, length], mask=[N, length])` gives [N, outputs]."""

    stage_modules = ()

    def __init__(self, recipe: PooledRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.register_buffer("places", torch.linspace(-1, 1, recipe.length), persistent=False)
        self.enter = nn.Linear(2, recipe.width)
        self.middle = nn.Linear(recipe.width, recipe.hidden)
        self.head = nn.Linear(recipe.hidden, recipe.outputs)
        self.finish: nn.Module = nn.Identity()

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """The mean over the numbers that are there."""
        each = self.enter(torch.stack((values, mask * self.places), -1)).relu() * mask.unsqueeze(-1)
        mean = each.sum(1) / mask.sum(1, keepdim=True).clamp(min=1.0)
        result: Tensor = self.finish(self.head(self.middle(mean).relu()))
        return result

    @property
    def width_map(self) -> WidthMap:
        """Three layers."""
        return {"enter": Channels("", "width"), "middle": Channels("width", "hidden"), "head": Channels("hidden", "")}


class Values(nn.Module):
    """The scaled numbers, for a user's own network."""

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """[N, length]."""
        return values * mask
