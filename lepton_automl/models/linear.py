"""Linear models as networks."""

from __future__ import annotations

from torch import Tensor, nn

from .build import RecipeNet
from .layers import WidthMap


class LinearNet(RecipeNet):
    """Features, and one linear layer: the base class of the linear models of each modality.

    Attributes:
        features: Makes float32 features [N, F] from stored rows; it has no weights.
        head: The layer.
    """

    features: nn.Module
    head: nn.Linear

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.head = nn.Linear(inputs, outputs)
        self.finish = nn.Identity()

    def answer(self, features: Tensor) -> Tensor:
        """Features [N, F] to outputs [N, K]."""
        outputs: Tensor = self.finish(self.head(features))
        return outputs

    @property
    def width_map(self) -> WidthMap:
        """Empty: no width can be pruned."""
        return {}

    @property
    def stage_modules(self) -> tuple[str, ...]:
        """Empty: there are no stages."""
        return ()
