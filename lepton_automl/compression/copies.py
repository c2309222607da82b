"""Deep copies of networks that recompute some of their weights at each call."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def deep_copy(model: Network) -> Network:
    """A deep copy. Non-leaf tensors, computed by hooks such as `weight_norm`, are cloned: deepcopy rejects them."""
    return copy.deepcopy(
        model, {id(tensor): tensor.detach().clone() for part in model.modules() for tensor in computed_tensors(part).values()}
    )


def computed_tensors(part: nn.Module) -> dict[str, Tensor]:
    """The tensors that a module holds besides its weights and that are recomputed at each call, by name."""
    return {name: tensor for name, tensor in part.__dict__.items() if isinstance(tensor, Tensor) and not tensor.is_leaf}
