"""The network that writes letter by letter, and its programs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lepton_automl.models.build import RecipeNet
from lepton_automl.models.layers import Channels, WidthMap

from .writer import WriterRecipe


class WriterNet(RecipeNet):
    """`forward(values=[N, length], mask=[N, length])` gives the scores of all tokens at all places, [N, longest * tokens].

    In training, too, the letter that it has written itself is what it goes on from.
    """

    stage_modules = ()

    def __init__(self, recipe: WriterRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.register_buffer("places", torch.linspace(-1, 1, recipe.length), persistent=False)
        self.enter = nn.Linear(2, recipe.width)
        self.middle = nn.Linear(recipe.width, recipe.state)
        self.letters = nn.Embedding(recipe.tokens, recipe.state)
        self.change = nn.Linear(recipe.state, recipe.state)
        self.head = nn.Linear(recipe.state, recipe.tokens)
        self.finish: nn.Module = nn.Identity()

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """The letter before the first is the end mark, which is the last token."""
        state, found = self.encode(values, mask), []
        token = torch.full_like(values[:, 0], self.recipe.tokens - 1, dtype=torch.int64)
        for _ in range(self.recipe.longest):
            scores, state = self.step(token, state)
            token = scores.detach().argmax(1)
            found.append(scores)
        result: Tensor = self.finish(torch.cat(found, 1))
        return result

    def encode(self, values: Tensor, mask: Tensor) -> Tensor:
        """The state before the first letter, [N, state]."""
        each = self.enter(torch.stack((values, mask * self.places), -1)).relu() * mask.unsqueeze(-1)
        return self.middle(each.sum(1) / mask.sum(1, keepdim=True).clamp(min=1.0))

    def step(self, token: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The scores of the next token [N, tokens], and the state behind the last one."""
        after = (self.letters(token) + self.change(state)).tanh()
        return self.head(after), after

    @property
    def width_map(self) -> WidthMap:
        """The two layers of the encoder."""
        return {"enter": Channels("", "width"), "middle": Channels("width", "")}


class Encoder(nn.Module):
    """The program that reads the sequence."""

    def __init__(self, network: WriterNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, values: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """The state."""
        return {"state": self.network.encode(values, mask)}


class Step(nn.Module):
    """The program that scores the next letter."""

    def __init__(self, network: WriterNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, token: Tensor, state: Tensor) -> dict[str, Tensor]:
        """Scores and state."""
        scores, after = self.network.step(token, state)
        return {"scores": scores, "next_state": after}
