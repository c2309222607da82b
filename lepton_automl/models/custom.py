"""A person's own network, dressed so that it goes through the house as a LeptonNet does."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lepton_automl.recipe import CustomRecipe
from lepton_automl.specs import DataSpec

from .answers import Answer
from .conv import Pixels
from .embeddings import OneHot


class Rows(nn.Module):
    """A table's parts in one: scaled numbers [N, F] and codes [N, G] to float32 [N, columns].

    Args:
        cardinalities: Codes of each categorical column, which become ones and zeros.
    """

    def __init__(self, cardinalities: tuple[int, ...]) -> None:
        super().__init__()
        self.codes = OneHot(cardinalities) if cardinalities else None

    def forward(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """The numbers, then the ones and zeros."""
        parts = [numeric] if numeric is not None else []
        if self.codes is not None:
            parts.append(self.codes(categorical))
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


class CustomNet(nn.Module):
    """A person's module between what the house feeds and what it asks for.

    Args:
        module: Called with float32 rows of `spec.input_shape`; gives logits [N, K], or standardised values [N] or [N, 1].
        recipe: How it was made.
        spec: Its data.
    """

    def __init__(self, module: nn.Module, recipe: CustomRecipe, spec: DataSpec) -> None:
        super().__init__()
        self.module, self.recipe = module, recipe
        self.enter: nn.Module = (
            Pixels(spec.shape[0], spec.pixel_mean, spec.pixel_std) if spec.modality == "image" else Rows(spec.cardinalities)
        )
        self.answering = Answer(recipe.outputs, members=False)
        self.finish: nn.Module = nn.Identity()

    def forward(self, image: Tensor | None = None, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """The stored rows to what the person's `forward` gives for them."""
        rows = self.enter(image) if image is not None else self.enter(numeric, categorical)
        outputs: Tensor = self.finish(self.module(rows))
        return outputs

    def answer(self, outputs: Tensor) -> Tensor:
        """Probabilities [N, classes], or standardised values [N], from what `forward` gave."""
        answers: Tensor = self.answering(outputs)
        return answers

    def rows(self, inputs: dict[str, Tensor]) -> Tensor:
        """What the person's own `forward` takes, for stored rows by name; on the CPU."""
        with torch.no_grad():
            entered: Tensor = self.enter(**inputs)
        return entered
