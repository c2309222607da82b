"""The network that reads number by number, and its programs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lepton_automl.models.build import RecipeNet
from lepton_automl.models.layers import Channels, WidthMap

from .recurrent import RecurrentRecipe


class RecurrentNet(RecipeNet):
    """`forward(values=[N, length], mask=[N, length])` gives [N, outputs]."""

    stage_modules = ()

    def __init__(self, recipe: RecurrentRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.first = nn.Parameter(torch.zeros(recipe.state))
        self.read = nn.Linear(1, recipe.state, bias=False)
        self.change = nn.Linear(recipe.state, recipe.state)
        self.middle = nn.Linear(recipe.state, recipe.hidden)
        self.head = nn.Linear(recipe.hidden, recipe.outputs)
        self.finish: nn.Module = nn.Identity()

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Behind the last number; padding leaves the state as it is."""
        state = self.start(mask[:, 0])
        for place in range(self.recipe.length):
            state = self.step(values[:, place], mask[:, place], state)
        return self.answer(state)

    def start(self, mask: Tensor) -> Tensor:
        """The state before any number, [N, state]."""
        return self.first + 0 * mask.unsqueeze(1)

    def step(self, value: Tensor, mask: Tensor, state: Tensor) -> Tensor:
        """The state behind a number of each row [N]."""
        changed = (self.read(value.unsqueeze(1)) + self.change(state)).tanh()
        return state + mask.unsqueeze(1) * (changed - state)

    def answer(self, state: Tensor) -> Tensor:
        """What a state says."""
        result: Tensor = self.finish(self.head(self.middle(state).relu()))
        return result

    @property
    def width_map(self) -> WidthMap:
        """The two layers behind the state."""
        return {"middle": Channels("", "hidden"), "head": Channels("hidden", "")}


class Start(nn.Module):
    """The program that begins a sequence."""

    def __init__(self, network: RecurrentNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, mask: Tensor) -> dict[str, Tensor]:
        """For rows of any mask [N]."""
        return {"state": self.network.start(mask)}


class Step(nn.Module):
    """The program that reads a number."""

    def __init__(self, network: RecurrentNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, value: Tensor, mask: Tensor, state: Tensor) -> dict[str, Tensor]:
        """The answer so far [N], and the state."""
        after = self.network.step(value, mask, state)
        return {"outputs": self.network.answer(after), "next_state": after}
