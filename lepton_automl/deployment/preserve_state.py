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
DEPTH = 2  # levels of nested containers that are restored
CONTAINERS = {dict, OrderedDict, list, set}

Kept = tuple[Any, Any]  # a container, and a copy of it


@contextmanager
def preserve_state(module: nn.Module) -> Iterator[None]:
    """Inside, a module may be changed in any way; afterwards its state is restored.

    Restored are the class, mode, attributes and hooks of every module in it; the values, gradients and settings of every tensor;
    lists, dicts and sets that they hold, or that their hooks write to; and the random states of torch, NumPy and Python. What a
    forward pass writes elsewhere cannot be undone.

    Args:
        module: The module.
    """
    modules = [(part, type(part), dict(part.__dict__)) for part in module.modules()]
    containers: list[Kept] = []
    for _, _, holds in modules:
        _keep_containers(holds.values(), DEPTH, containers)
        functions = [hook for name in HOOKS for hook in holds.get(name, {}).values()]
        for function in [*functions, *([holds["forward"]] if "forward" in holds else [])]:
            _keep_containers(_written_by(function), DEPTH, containers)
    undo = [_undo_tensor(tensor) for tensor in _tensors(module)]
    state, drawn = random.getstate(), np.random.get_state()  # noqa: NPY002  # the user's state, to be restored
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for part, kind, holds in modules:
            _put_back_module(part, kind, holds)
        for container, content in containers:
            _put_back_container(container, content)
        for tensor in undo:
            tensor()
        random.setstate(state)
        np.random.set_state(drawn)  # noqa: NPY002  # likewise


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Inside, a module is in evaluation mode; afterwards, each part has its former mode."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _put_back_module(module: nn.Module, kind: type, holds: dict[str, Any]) -> None:
    if type(module) is not kind:
        module.__class__ = kind
    for name in [name for name in module.__dict__ if name not in holds]:
        del module.__dict__[name]
    module.__dict__.update(holds)


def _keep_containers(values: Iterable[Any], depth: int, into: list[Kept]) -> None:
    """Copy the plain lists, dicts and sets among some values, and nested ones; modules have a dozen each, most of them empty."""
    for value in values:
        kind = type(value)
        if kind not in CONTAINERS:
            continue
        into.append((value, (dict if kind is OrderedDict else kind)(value)))
        if depth > 1 and value and kind is not set:
            _keep_containers(value if kind is list else value.values(), depth - 1, into)


def _put_back_container(container: Any, content: Any) -> None:
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


def _written_by(function: Any) -> list[Any]:
    """What a hook or a patched forward pass could write to: its closure, and the globals that it names."""
    function = inspect.unwrap(getattr(function, "func", function))
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType):
        return []
    values = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    return values + [function.__globals__[name] for name in function.__code__.co_names if name in function.__globals__]


def _filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # reading an empty cell fails
    except ValueError:
        return False
    return True


def _tensors(module: nn.Module) -> list[Tensor]:
    """Every tensor that some module in it holds, once."""
    tensors: dict[int, Tensor] = {}
    for part in module.modules():
        holders = (part.__dict__, part.__dict__.get("_parameters", {}), part.__dict__.get("_buffers", {}))
        for holder in holders:
            tensors |= {
                id(tensor): tensor for tensor in dict(holder).values() if isinstance(tensor, Tensor) and not is_lazy(tensor)
            }
    return list(tensors.values())


def _undo_tensor(tensor: Tensor) -> Callable[[], None]:
    needs, gradient, data = tensor.requires_grad, tensor.grad if tensor.is_leaf else None, tensor.data
    values, slope = data.clone(), None if gradient is None else gradient.clone()

    def undo() -> None:
        if tensor.is_leaf:
            if tensor.data.data_ptr() != data.data_ptr() or tensor.dtype != data.dtype or tensor.shape != data.shape:
                tensor.data = data
            if tensor.requires_grad != needs:
                tensor.requires_grad_(needs)
            tensor.grad = gradient
            if gradient is not None and slope is not None and not torch.equal(gradient, slope):
                gradient.detach().copy_(slope)
        if not torch.equal(tensor.data, values):
            tensor.data.copy_(values)

    return undo
