"""The RecipeNet for tables."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lepton_automl.errors import ConfigError
from lepton_automl.modalities.table.recipe import TableRecipe
from lepton_automl.models.build import RecipeNet
from lepton_automl.models.layers import Channels, Dropout, GroupedLinear, WidthMap, under

from .embeddings import Categories, Numbers, OneHot
from .entry import Rows

SPREAD = 0.5  # standard deviation of the members' initial scales, around 1


class Members(nn.Module):
    """Repeat each row for every member of the ensemble: [N, D] to [N * members, D].

    Each member scales the row by its own vector. This is the adapter of TabM-mini (Gorishniy et al., TabM, ICLR 2025), but
    theirs starts with random signs, with which the members agree too little for a short training.

    Args:
        members: Number of members.
        size: D.
    """

    def __init__(self, members: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.weight = nn.Parameter(1 + SPREAD * torch.randn(members, size))

    def forward(self, rows: Tensor) -> Tensor:
        """[N, D] to [N * members, D]."""
        return (rows.unsqueeze(1) * self.weight).reshape(-1, self.size)


class MemberHeads(GroupedLinear):
    """Each member's own last layer: [N * members, D] to [N, members, outputs]."""

    def forward(self, rows: Tensor) -> Tensor:
        """[N * members, D] to [N, members, outputs]."""
        return super().forward(rows.reshape(-1, self.groups, self.in_features))


class OneMember(nn.Module):
    """An ensemble of one: [N, outputs] to [N, 1, outputs]."""

    def forward(self, outputs: Tensor) -> Tensor:
        """[N, outputs] to [N, 1, outputs]."""
        return outputs.unsqueeze(1)


class PlainBlock(nn.Module):
    """Linear, ReLU, dropout: [N, inputs] to [N, outputs]. Batch normalisation brought no gain here."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.relu = nn.ReLU()
        self.dropout = Dropout(dropout)

    def forward(self, rows: Tensor) -> Tensor:
        """[N, inputs] to [N, outputs]."""
        result: Tensor = self.dropout(self.relu(self.linear(rows)))
        return result


class AddingBlock(nn.Module):
    """Residual block (the ResNet of Gorishniy et al., Revisiting Deep Learning Models for Tabular Data, 2021)."""

    def __init__(self, width: int, mid: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.enter = nn.Linear(width, mid)
        self.relu = nn.ReLU()
        self.dropout = Dropout(dropout)
        self.leave = nn.Linear(mid, width)

    def forward(self, rows: Tensor) -> Tensor:
        """[N, width] to the same shape."""
        branch: Tensor = self.leave(self.dropout(self.relu(self.enter(self.norm(rows)))))
        return rows + branch


class LinearSkip(nn.Module):
    """A linear model of the scaled numbers and one-hot categories: [N, F] and [N, G] to [N, outputs].

    Args:
        recipe: Names the columns.
    """

    def __init__(self, recipe: TableRecipe) -> None:
        super().__init__()
        self.features = Rows(recipe.cardinalities)
        self.linear = nn.Linear(recipe.numeric + sum(recipe.cardinalities), recipe.outputs)

    def forward(self, numeric: Tensor | None, categorical: Tensor | None) -> Tensor:
        """Scaled numbers [N, F] and codes [N, G] to [N, outputs]."""
        outputs: Tensor = self.linear(self.features(numeric, categorical))
        return outputs


class TableNet(RecipeNet):
    """Embeddings, trunk, heads: `forward(numeric=[N, F], categorical=[N, G])` gives [N, heads, outputs].

    A table without numbers has no `numeric`, one without categories no `categorical`.

    Args:
        recipe: Every width and depth.

    Raises:
        ConfigError: The recipe has no columns at all.
    """

    ensemble = True  # outputs have an axis of members

    def __init__(self, recipe: TableRecipe) -> None:
        super().__init__()
        if not recipe.numeric and not recipe.cardinalities:
            raise ConfigError("the table has neither numeric nor categorical columns", where="TableRecipe")
        self.recipe = recipe
        self.numbers: nn.Module | None = Numbers(recipe) if recipe.numeric else None
        categories = OneHot if recipe.one_hot else Categories
        self.categories = categories(recipe.cardinalities) if recipe.cardinalities else None
        size = sum(int(part.size) for part in (self.numbers, self.categories) if part is not None)
        self.members = Members(recipe.heads, size) if recipe.heads > 1 else nn.Identity()
        self.trunk, width = _trunk(recipe, size)
        self.head = MemberHeads(recipe.heads, width, recipe.outputs) if recipe.heads > 1 else nn.Linear(width, recipe.outputs)
        self.skip = LinearSkip(recipe) if recipe.skip else None
        self.finish: nn.Module = nn.Identity() if recipe.heads > 1 else OneMember()

    def forward(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """Scaled numbers [N, F] and codes [N, G] to logits or standardised values [N, heads, outputs]."""
        parts = []
        if self.numbers is not None:
            parts.append(self.numbers(numeric))
        if self.categories is not None:
            parts.append(self.categories(categorical))
        rows = torch.cat(parts, 1) if len(parts) > 1 else parts[0]
        outputs: Tensor = self.head(self.trunk(self.members(rows)))
        if self.skip is not None:
            linear = self.skip(numeric, categorical)
            outputs = outputs + (linear.unsqueeze(1) if self.recipe.heads > 1 else linear)
        finished: Tensor = self.finish(outputs)
        return finished

    @property
    def width_map(self) -> WidthMap:
        """Each layer's channels as widths of the recipe."""
        recipe = self.recipe
        if recipe.kind == "mlp":
            inputs, channels = "", WidthMap()
            for b in range(len(recipe.mids)):
                outputs = f"mids.{b}"
                channels[f"blocks.{b}.linear"] = Channels(inputs, outputs)
                inputs = outputs
            return under("trunk", channels) | {"head": Channels(inputs, "")}
        channels = {"stem": Channels("", "width"), "norm": Channels("width", "width")}
        for b in range(len(recipe.mids)):
            channels |= under(f"blocks.{b}", _adding_map(f"mids.{b}"))
        return under("trunk", channels) | {"head": Channels("width", "")}

    @property
    def stage_modules(self) -> tuple[str, ...]:
        """The module that holds the blocks of the one stage."""
        return ("trunk.blocks",)


def _adding_map(mid: str) -> WidthMap:
    return {
        "norm": Channels("width", "width"),
        "enter": Channels("width", mid),
        "leave": Channels(mid, "width"),
    }


def _trunk(recipe: TableRecipe, inputs: int) -> tuple[nn.Sequential, int]:
    """The trunk's modules by name, and its output width."""
    trunk, blocks = nn.Sequential(), nn.Sequential()
    if recipe.kind == "resnet":
        trunk.add_module("stem", nn.Linear(inputs, recipe.width))
        for mid in recipe.mids:
            blocks.append(AddingBlock(recipe.width, mid, recipe.dropout))
        trunk.add_module("blocks", blocks)
        trunk.add_module("norm", nn.LayerNorm(recipe.width))
        trunk.add_module("relu", nn.ReLU())
        return trunk, recipe.width
    for mid in recipe.mids:
        blocks.append(PlainBlock(inputs, mid, recipe.dropout))
        inputs = mid
    trunk.add_module("blocks", blocks)
    return trunk, inputs
