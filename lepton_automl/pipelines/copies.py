"""Copies of a person's network that are networks of their own."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from lepton_automl.compression.copies import computed_tensors, deep_copy
from lepton_automl.deployment.preserve_state import eval_mode, preserve_state
from lepton_automl.errors import ConfigError, in_one_line
from lepton_automl.training.custom import without_trainer

Network = TypeVar("Network", bound=nn.Module)


def copy_network(model: Network) -> Network:
    """A copy on the CPU, each part in its mode, without a Trainer.

    Raises:
        ConfigError: Something that the network holds cannot be copied.
    """
    try:
        with without_trainer(model):
            return deep_copy(model).cpu()
    except Exception as error:
        raise ConfigError(
            f"{type(model).__name__} cannot be copied: {in_one_line(error)}",
            where="model",
            fix="Keep what cannot be copied (open files, locks, results of its last call) outside of the network.",
        ) from error


def detach_computed(model: nn.Module) -> None:
    """Cut the tensors that a network holds besides its weights off the calls that made them, so that it can be copied."""
    for part in model.modules():
        for name, one in computed_tensors(part).items():
            part.__dict__[name] = one.detach()


def shared_weights(copy_of: nn.Module, original: nn.Module, rows: Tensor) -> list[str]:
    """The weights of the original that its copy still computes with.

    A function that was put in the place of a layer's `forward`, or a hook, goes into a copy as it is, with the network in it that
    it was made for.

    Args:
        copy_of: A copy of a network, which is left as it is, like the network.
        original: The network.
        rows: Two rows or so, as `forward` takes them.
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
        answers = copy_of(rows.clone())
        if not answers.requires_grad:
            return []
        floats = {name: weight for name, weight in weights.items() if weight.requires_grad}
        slopes = torch.autograd.grad(answers.float().sum(), list(floats.values()), allow_unused=True)
    return [name for name, slope in zip(floats, slopes, strict=True) if slope is not None]


def shared_weights_error(names: list[str], network: str) -> tuple[str, str]:
    """What is wrong with a network whose copies borrow weights, and what to do."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    what = f"a copy of {network} still computes with {names[0]!r}{more} of the network that it was copied from"
    fix = (
        "A forward pass or hook that was set on a layer holds the layer itself: write it in a subclass, "
        "or use what it is called with."
    )
    return what, fix
