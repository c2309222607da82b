"""How the columns of a table become vectors (Gorishniy et al., On Embeddings for Numerical Features, NeurIPS 2022)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lepton_automl.modalities.table.recipe import TableRecipe
from lepton_automl.models.layers import GroupedLinear

FREQUENCY_SCALE = 1.0  # Spread of the initial frequencies, in turns over half the scaled range.
MOST_DIMENSIONS = 16  # Of a category's vector.


class Piecewise(nn.Module):
    """Piecewise-linear encoding over equal bins of [-1, 1]: [N, F] to [N, F * size].

    The numbers are scaled by quantiles, so that equal bins hold equally many rows. Entry b of a number rises from 0 to 1
    while the number crosses bin b. With `embedded`, each column has its own linear layer and ReLU on top.

    Args:
        features: Numeric columns.
        bins: Bins of one number.
        embedded: Size of the vector of one number; 0 leaves the encoding as it is.
    """

    def __init__(self, features: int, bins: int, embedded: int) -> None:
        super().__init__()
        self.size = features * (embedded or bins)
        # clamp((u - lower) * bins / 2, 0, 1), with the subtraction folded into a constant.
        self.steps = bins / 2
        self.register_buffer("shift", bins / 2 - torch.arange(float(bins)), persistent=False)
        self.shift: Tensor
        self.mix = nn.Sequential(GroupedLinear(features, bins, embedded), nn.ReLU()) if embedded else nn.Identity()

    def forward(self, numeric: Tensor) -> Tensor:
        """[N, F] to [N, F * size]."""
        encoded = (numeric.unsqueeze(-1) * self.steps + self.shift).clamp(0.0, 1.0)
        mixed: Tensor = self.mix(encoded)
        return mixed.flatten(1)


class Periodic(nn.Module):
    """Cosines of learnt frequencies and phases, and the number itself: [N, F] to [N, F * (size + 1)].

    The PBLD embedding of Holzmüller et al., Better by Default (RealMLP), NeurIPS 2024.

    Args:
        features: Numeric columns.
        bins: Frequencies of one number.
        embedded: Size of the linear layer and ReLU on top of the cosines; 0 for none.
        frequency: Spread of the initial frequencies, in turns over half the scaled range.
    """

    def __init__(self, features: int, bins: int, embedded: int, frequency: float) -> None:
        super().__init__()
        self.size = features * ((embedded or bins) + 1)
        self.frequency = nn.Parameter(torch.randn(features, bins) * (2 * math.pi * frequency))
        self.phase = nn.Parameter((torch.rand(features, bins) * 2 - 1) * math.pi)
        self.mix = nn.Sequential(GroupedLinear(features, bins, embedded), nn.ReLU()) if embedded else nn.Identity()

    def forward(self, numeric: Tensor) -> Tensor:
        """[N, F] to [N, F * (size + 1)]."""
        each = numeric.unsqueeze(-1)
        waves = torch.cos(each * self.frequency + self.phase)
        return torch.cat([each, self.mix(waves)], -1).flatten(1)


class Numbers(nn.Module):
    """All numeric columns: the embedded ones first, then the others unchanged.

    Args:
        recipe: Defines the number of each, and the embedding.
    """

    def __init__(self, recipe: TableRecipe) -> None:
        super().__init__()
        self.features = 0 if recipe.embedding == "linear" else recipe.numeric - recipe.plain
        self.rest = recipe.numeric - self.features
        self.embedding = _embedding(recipe, self.features) if self.features else None
        self.size = self.rest + (self.embedding.size if self.embedding is not None else 0)

    def forward(self, numeric: Tensor) -> Tensor:
        """[N, F] to [N, size]."""
        if self.embedding is None:
            return numeric
        if not self.rest:
            return self.embedding(numeric)  # type: ignore[no-any-return]  # modules are untyped calls
        return torch.cat([self.embedding(numeric[:, : self.features]), numeric[:, self.features :]], 1)


def _embedding(recipe: TableRecipe, features: int) -> Piecewise | Periodic:
    if recipe.embedding == "piecewise":
        return Piecewise(features, recipe.bins, recipe.embedded)
    return Periodic(features, recipe.bins, recipe.embedded, recipe.frequency)


class Categories(nn.Module):
    """Codes to learnt vectors: [N, G] to [N, G * dimensions].

    All columns share one weight matrix, in which each has its own rows, so that a call needs one lookup for any number of
    columns. The size of a vector depends on the column with the most codes. The unknown code starts as zeros, as training
    rows may never contain it.

    Args:
        cardinalities: Number of codes of each column.
    """

    def __init__(self, cardinalities: tuple[int, ...]) -> None:
        super().__init__()
        dimensions = min(MOST_DIMENSIONS, max(2, 1 + max(cardinalities) // 2))
        self.size = dimensions * len(cardinalities)
        ends = torch.tensor(cardinalities).cumsum(0)
        self.register_buffer("offsets", ends - torch.tensor(cardinalities), persistent=False)
        self.offsets: Tensor
        self.embedding = nn.Embedding(int(ends[-1]), dimensions)
        nn.init.normal_(self.embedding.weight, std=0.5)
        with torch.no_grad():
            self.embedding.weight[self.offsets] = 0.0

    def forward(self, categorical: Tensor) -> Tensor:
        """[N, G] int64 to [N, G * dimensions]."""
        vectors: Tensor = self.embedding(categorical + self.offsets)
        return vectors.flatten(1)


class OneHot(nn.Module):
    """Codes to one-hot vectors: [N, G] to [N, sum of cardinalities].

    Args:
        cardinalities: Number of codes of each column.
    """

    def __init__(self, cardinalities: tuple[int, ...]) -> None:
        super().__init__()
        self.size = sum(cardinalities)
        columns = torch.arange(len(cardinalities)).repeat_interleave(torch.tensor(cardinalities))
        self.register_buffer("columns", columns, persistent=False)
        self.register_buffer("codes", torch.cat([torch.arange(codes) for codes in cardinalities]), persistent=False)
        self.columns: Tensor
        self.codes: Tensor

    def forward(self, categorical: Tensor) -> Tensor:
        """[N, G] int64 to float32 [N, size]."""
        return (categorical.index_select(1, self.columns) == self.codes).float()
