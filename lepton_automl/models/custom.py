"""A user-defined network in place of a RecipeNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lepton_automl.modality import modality_of
from lepton_automl.recipe import CustomRecipe
from lepton_automl.specs import DataSpec


class CustomNet(nn.Module):
    """A user-defined module that is called with the stored rows.

    Args:
        module: Called with float32 rows of `spec.input_shape`; returns logits [N, K], or standardised values [N] or [N, 1].
        recipe: The recipe that it was built from.
        spec: Describes its data.
    """

    ensemble = False  # outputs have no member axis

    def __init__(self, module: nn.Module, recipe: CustomRecipe, spec: DataSpec) -> None:
        super().__init__()
        self.module, self.recipe = module, recipe
        self.enter = modality_of(spec).entry(spec)
        self.finish: nn.Module = nn.Identity()

    def forward(self, **inputs: Tensor) -> Tensor:
        """The module's outputs for the stored rows, which are passed by name."""
        outputs: Tensor = self.finish(self.module(self.enter(**inputs)))
        return outputs

    def rows(self, inputs: dict[str, Tensor]) -> Tensor:
        """The input of the user's own `forward` for stored rows by name; on the CPU."""
        with torch.no_grad():
            entered: Tensor = self.enter(**inputs)
        return entered
