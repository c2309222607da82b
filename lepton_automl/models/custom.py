"""A user's own network in the place of a LeptonNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lepton_automl.modality import modality_of
from lepton_automl.recipe import CustomRecipe
from lepton_automl.specs import DataSpec


class CustomNet(nn.Module):
    """A user's module between the stored rows and a task's answers.

    Args:
        module: Called with float32 rows of `spec.input_shape`; gives logits [N, K], or standardised values [N] or [N, 1].
        recipe: How it was made.
        spec: Its data.
    """

    ensemble = False  # outputs have no axis of members

    def __init__(self, module: nn.Module, recipe: CustomRecipe, spec: DataSpec) -> None:
        super().__init__()
        self.module, self.recipe = module, recipe
        self.enter = modality_of(spec).entry(spec)
        self.finish: nn.Module = nn.Identity()

    def forward(self, **inputs: Tensor) -> Tensor:
        """The stored rows, by name, to what the user's `forward` gives for them."""
        outputs: Tensor = self.finish(self.module(self.enter(**inputs)))
        return outputs

    def rows(self, inputs: dict[str, Tensor]) -> Tensor:
        """What the user's own `forward` takes, for stored rows by name; on the CPU."""
        with torch.no_grad():
            entered: Tensor = self.enter(**inputs)
        return entered
