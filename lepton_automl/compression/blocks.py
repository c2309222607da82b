"""Remove whole blocks of any network, those that change their input least."""

from __future__ import annotations

import math
from typing import TypeVar

from torch import Tensor, nn

from lepton_automl.errors import ConfigError

from .copies import deep_copy
from .depth import input_changes

Network = TypeVar("Network", bound=nn.Module)


def drop_blocks(model: Network, count: int, sample: Tensor) -> tuple[Network, tuple[str, ...]]:
    """A copy of a network without the blocks that change their input least.

    A block is an element of a `Sequential` or `ModuleList` that has weights, is more than one layer, and returns one tensor
    of its input's shape. It is replaced by `nn.Identity`, so that all other names stay the same. The remaining blocks
    are measured again after each removal, as a block's effect depends on the blocks before it. (Veit et al., Residual Networks
    Behave Like Ensembles of Relatively Shallow Networks, NeurIPS 2016, found that single residual blocks can be removed.)

    Args:
        model: Called as `model(rows)`. It is left unchanged.
        count: Blocks to remove.
        sample: Rows to measure on; a few hundred are enough.

    Returns:
        The shallower network in the same mode, and the names of the removed blocks.

    Raises:
        ConfigError: The network has fewer removable blocks.
    """
    shallower = deep_copy(model)
    removed: list[str] = []
    for _ in range(count):
        name = _least_active(shallower, sample)
        if name is None:
            raise ConfigError(
                f"only {len(removed)} of {count} blocks can be removed",
                where="lean",
                fix="Removable blocks are elements of a Sequential or ModuleList whose output has the shape of their input.",
            )
        shallower.set_submodule(name, nn.Identity())
        removed.append(name)
    return shallower, tuple(removed)


def _least_active(model: nn.Module, sample: Tensor) -> str | None:
    """The name of the block that changes its input least."""
    containers = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Sequential | nn.ModuleList)]
    blocks = {
        child: f"{name}.{key}" if name else key
        for name, container in containers
        for key, child in container.named_children()
        if any(True for _ in child.children()) and any(True for _ in child.parameters())
    }
    training = [(module, module.training) for module in model.modules()]
    model.eval()
    changes = input_changes(blocks, lambda: model(sample))
    for module, mode in training:
        module.training = mode
    change, name = min(((changes.get(block, math.inf), name) for block, name in blocks.items()), default=(math.inf, None))
    return name if math.isfinite(change) else None
