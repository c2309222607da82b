"""Inspect, trace and call a module, and restore its state exactly."""

from __future__ import annotations

import inspect
import random
import types
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

HOOKS = ("_forward_hooks", "_forward_pre_hooks")
DEPTH = 2  # levels of nested containers that are copied and restored
CONTAINERS = {dict, OrderedDict, list, set}

Saved = tuple[Any, Any]  # a container, and a copy of it


@contextmanager
def preserve_state(module: nn.Module) -> Iterator[None]:
    """Inside the block, a module may be changed in any way; afterwards its state is restored.

    This restores the class, mode, attributes and hooks of every module in it; the values, gradients and settings of every
    tensor; lists, dicts and sets that they hold, or that their hooks can write to; and the random states of torch, NumPy and
    Python. What a forward pass writes elsewhere cannot be undone.

    Args:
        module: The module.
    """
    modules = [(part, type(part), dict(part.__dict__)) for part in module.modules()]
    containers: list[Saved] = []
    for _, _, attributes in modules:
        _save_containers(attributes.values(), DEPTH, containers)
        functions = [hook for name in HOOKS for hook in attributes.get(name, {}).values()]
        for function in [*functions, *([attributes["forward"]] if "forward" in attributes else [])]:
            _save_containers(_writable_by(function), DEPTH, containers)
    restore_tensors = [_tensor_restorer(tensor) for tensor in _tensors(module)]
    state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002  # the user's state, to be restored
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for part, kind, attributes in modules:
            _restore_module(part, kind, attributes)
        for container, content in containers:
            _restore_container(container, content)
        for restore in restore_tensors:
            restore()
        random.setstate(state)
        np.random.set_state(numpy_state)  # noqa: NPY002  # likewise


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Inside the block, a module is in evaluation mode; afterwards, each part has its previous mode."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _restore_module(module: nn.Module, kind: type, attributes: dict[str, Any]) -> None:
    if type(module) is not kind:
        module.__class__ = kind
    for name in [name for name in module.__dict__ if name not in attributes]:
        del module.__dict__[name]
    module.__dict__.update(attributes)


def _save_containers(values: Iterable[Any], depth: int, into: list[Saved]) -> None:
    """Copy the plain lists, dicts and sets among some values, and nested ones; a module has a dozen, most of them empty."""
    for value in values:
        kind = type(value)
        if kind not in CONTAINERS:
            continue
        into.append((value, (dict if kind is OrderedDict else kind)(value)))
        if depth > 1 and value and kind is not set:
            _save_containers(value if kind is list else value.values(), depth - 1, into)


def _restore_container(container: Any, content: Any) -> None:
    if not container and not content:
        return
    if type(content) is dict:
        if len(container) != len(content) or any(
            name not in container or container[name] is not content[name] for name in content
        ):
            container.clear()
            container.update(content)
    elif type(content) is list:
        container[:] = content
    else:
        container.clear()
        container.update(content)


def _writable_by(function: Any) -> list[Any]:
    """What a hook or a patched forward pass could write to: its closure, and the globals that it names."""
    function = inspect.unwrap(getattr(function, "func", function))
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType):
        return []
    values = [cell.cell_contents for cell in function.__closure__ or () if _has_content(cell)]
    return values + [function.__globals__[name] for name in function.__code__.co_names if name in function.__globals__]


def _has_content(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # reading an empty cell fails
    except ValueError:
        return False
    return True


def _tensors(module: nn.Module) -> list[Tensor]:
    """Every tensor that a module in it holds, once."""
    tensors: dict[int, Tensor] = {}
    for part in module.modules():
        holders = (part.__dict__, part.__dict__.get("_parameters", {}), part.__dict__.get("_buffers", {}))
        for holder in holders:
            tensors |= {
                id(tensor): tensor for tensor in dict(holder).values() if isinstance(tensor, Tensor) and not is_lazy(tensor)
            }
    return list(tensors.values())


def _tensor_restorer(tensor: Tensor) -> Callable[[], None]:
    requires_grad_before, gradient, data = tensor.requires_grad, tensor.grad if tensor.is_leaf else None, tensor.data
    values, gradient_values = data.clone(), None if gradient is None else gradient.clone()

    def restore() -> None:
        if tensor.is_leaf:
            if tensor.data.data_ptr() != data.data_ptr() or tensor.dtype != data.dtype or tensor.shape != data.shape:
                tensor.data = data
            if tensor.requires_grad != requires_grad_before:
                tensor.requires_grad_(requires_grad_before)
            tensor.grad = gradient
            if gradient is not None and gradient_values is not None and not torch.equal(gradient, gradient_values):
                gradient.detach().copy_(gradient_values)
        if not torch.equal(tensor.data, values):
            tensor.data.copy_(values)

    return restore
