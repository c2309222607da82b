"""The network of a table's linear model."""

from __future__ import annotations

from torch import Tensor

from lepton_automl.modalities.table.recipe import LinearTableRecipe
from lepton_automl.models.linear import LinearNet

from .entry import Rows


class LinearTableNet(LinearNet):
    """Numbers and one-hot categories, and one linear layer: `forward(numeric=[N, F], categorical=[N, G])` gives [N, K].

    A table without numbers has no `numeric`, one without categories no `categorical`.
    """

    def __init__(self, recipe: LinearTableRecipe) -> None:
        super().__init__(recipe.inputs, recipe.outputs)
        self.recipe = recipe
        self.features = Rows(recipe.cardinalities)

    def forward(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """Scaled numbers [N, F] and codes [N, G] to logits or standardised values [N, K]."""
        return self.answer(self.features(numeric, categorical))
