"""Independent copies of custom networks."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from lepton_automl.compression.copies import computed_tensors, deep_copy
from lepton_automl.deployment.preserve_state import eval_mode, preserve_state
from lepton_automl.errors import ConfigError, in_one_line

Network = TypeVar("Network", bound=nn.Module)


def copy_network(model: Network) -> Network:
    """A copy on the CPU, with the same training modes and without a Trainer.

    Raises:
        ConfigError: An attribute of the network cannot be copied.
    """
    from lepton_automl.training.custom import without_trainer  # imports Lightning

    try:
        with without_trainer(model):
            return deep_copy(model).cpu()
    except Exception as error:
        raise ConfigError(
            f"{type(model).__name__} cannot be copied: {in_one_line(error)}",
            where="model",
            fix="Keep objects that cannot be copied (open files, locks, results of the last call) out of the network.",
        ) from error


def detach_computed(model: nn.Module) -> None:
    """Detach the computed tensors among a network's attributes, so that it can be copied."""
    for part in model.modules():
        for name, tensor in computed_tensors(part).items():
            part.__dict__[name] = tensor.detach()


def shared_weights(copy_of: nn.Module, original: nn.Module, rows: Tensor) -> list[str]:
    """The names of the original's weights that its copy still computes with.

    A function that replaces a layer's `forward`, or a hook, is copied by reference, with the network that it refers to.

    Args:
        copy_of: A copy of the network; neither is changed.
        original: The network.
        rows: A few rows, as `forward` takes them.
    """
    weights = dict(original.named_parameters())
    with (
        preserve_state(original),
        preserve_state(copy_of),
        eval_mode(copy_of),
        torch.inference_mode(mode=False),
        torch.enable_grad(),
    ):
        for weight in weights.values():
            weight.requires_grad = weight.is_floating_point()
        outputs = copy_of(rows.clone())
        if not outputs.requires_grad:
            return []
        floats = {name: weight for name, weight in weights.items() if weight.requires_grad}
        gradients = torch.autograd.grad(outputs.float().sum(), list(floats.values()), allow_unused=True)
    return [name for name, gradient in zip(floats, gradients, strict=True) if gradient is not None]


def shared_weights_error(names: list[str], network: str) -> tuple[str, str]:
    """The problem with a network whose copy shares weights, and the fix."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    what = f"a copy of {network} still uses the weights {names[0]!r}{more} of the original"
    fix = "A forward function or hook set on a layer refers to that layer: define it in a subclass, or use only its arguments."
    return what, fix
