"""A table's parts as one tensor, for a user's own network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .embeddings import OneHot


class Rows(nn.Module):
    """Scaled numbers [N, F] and codes [N, G] to float32 [N, columns].

    Args:
        cardinalities: Number of codes of each categorical column; codes become one-hot vectors.
    """

    def __init__(self, cardinalities: tuple[int, ...]) -> None:
        super().__init__()
        self.codes = OneHot(cardinalities) if cardinalities else None

    def forward(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """The numbers, then the one-hot vectors."""
        parts = [numeric] if numeric is not None else []
        if self.codes is not None:
            parts.append(self.codes(categorical))
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]
