"""Temporarily rewrite the parts of a network that the trace does not support, for pruning.

Weight norms are folded into plain weights. Constants of custom modules (a blur kernel, positions) become parameters, so that
they are pruned with the layers around them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn
from torch.nn.utils import parametrizations, parametrize, remove_weight_norm, weight_norm

from .copies import deep_copy

Network = TypeVar("Network", bound=nn.Module)


def fold_weight_norms(model: nn.Module, *, constants: bool = True) -> list[Callable[[], None]]:
    """Replace weight norms by the weights that they compute, and constants by parameters, in place.

    Args:
        model: The network.
        constants: Whether constants become parameters; some functions do not accept parameters.

    Returns:
        Functions that restore each of them; a restored weight norm computes the weight that the layer has at that point.
    """
    restorers = _constants_as_parameters(model) if constants else []
    for layer in list(model.modules()):
        if parametrize.is_parametrized(layer):
            for name, steps in list(layer.parametrizations.items()):  # type: ignore[operator, union-attr]
                if len(steps) == 1 and type(steps[0]).__name__ == "_WeightNorm":
                    _own_class(layer)
                    restorers.append(_restore_norm(parametrizations.weight_norm, layer, name, steps[0].dim))
                    parametrize.remove_parametrizations(layer, name, leave_parametrized=True)
        for hook in list(layer._forward_pre_hooks.values()):  # noqa: SLF001  # the older weight norm is only a hook
            if type(hook).__name__ == "WeightNorm":
                name, dim = hook.name, hook.dim  # type: ignore[attr-defined]
                remove_weight_norm(layer, name)
                restorers.append(_restore_norm(weight_norm, layer, name, dim))
    return restorers


def with_plain_weights(model: Network) -> Network:
    """A copy whose weight norms are plain weights, under the names that pruning scores them by."""
    copied = deep_copy(model)
    fold_weight_norms(copied, constants=False)
    return copied


def _constants_as_parameters(model: nn.Module) -> list[Callable[[], None]]:
    undo = []
    for module in model.modules():
        if type(module).__module__.startswith("torch."):
            continue
        for name, constant in list(module.named_buffers(recurse=False)):
            if constant.is_floating_point() and constant.numel() > 1:
                temporary = name in module._non_persistent_buffers_set  # noqa: SLF001  # torch has no public name for it
                del module._buffers[name]  # noqa: SLF001  # likewise: register_parameter refuses a name that is taken
                module.register_parameter(name, nn.Parameter(constant.detach().clone()))
                undo.append(_as_constant(module, name, persistent=not temporary))
    return undo


def _as_constant(module: nn.Module, name: str, *, persistent: bool) -> Callable[[], None]:
    def restore() -> None:
        constant = getattr(module, name).detach()
        delattr(module, name)
        module.register_buffer(name, constant, persistent=persistent)

    return restore


def depthwise_kernels(model: nn.Module) -> list[tuple[nn.Parameter, int]]:
    """Bare parameters shaped as the kernels of a depthwise convolution, with the axis of their channels."""
    return [
        (weight, 0)
        for module in model.modules()
        if not type(module).__module__.startswith("torch.")
        for weight in module.parameters(recurse=False)
        if weight.ndim > 2 and weight.shape[0] > 1 and weight.shape[1] == 1
    ]


def _own_class(layer: nn.Module) -> None:
    """Give a parametrised layer a class of its own: a copy shares the original's, so changing the class would affect both."""
    shared = type(layer)
    members = {name: value for name, value in vars(shared).items() if name not in ("__dict__", "__weakref__")}
    layer.__class__ = type(shared.__name__, shared.__bases__, members)


def _restore_norm(norm: Callable[..., Any], layer: nn.Module, name: str, dim: int) -> Callable[[], None]:
    def restore() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the older weight norm is deprecated
            norm(layer, name, dim)

    return restore
