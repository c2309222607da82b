"""A module that is looked at, traced and called, and left exactly as it came."""

from __future__ import annotations

import inspect
import random
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

HOOKS = ("_forward_hooks", "_forward_pre_hooks")
DEPTH = 2  # how deep containers inside containers are kept


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Inside, anything may be done to a module; after it, all is as it was.

    That is the class, mode, attributes and hooks of every module in it; the values, gradients and settings of every tensor; lists,
    dicts and sets that they hold, or that their hooks write to; and the random states of torch, NumPy and Python. What a forward
    pass writes elsewhere cannot be taken back.

    Args:
        module: What is left as it is.
    """
    undo = [undo for part in list(module.modules()) for undo in _undo_module(part)]
    undo += [_undo_tensor(tensor) for tensor in _tensors(module)]
    state, drawn = random.getstate(), np.random.get_state()  # noqa: NPY002  # it is the person's, to be put back
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for one in undo:
            one()
        random.setstate(state)
        np.random.set_state(drawn)  # noqa: NPY002  # likewise


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Inside, a module is in evaluation mode; after it, each part is in the mode that it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _undo_module(module: nn.Module) -> Iterator[Callable[[], None]]:
    kind, holds = type(module), dict(module.__dict__)

    def undo() -> None:
        if type(module) is not kind:
            module.__class__ = kind
        for name in [name for name in module.__dict__ if name not in holds]:
            del module.__dict__[name]
        module.__dict__.update(holds)

    yield undo
    for one in holds.values():
        yield from _undo_container(one, DEPTH)
    functions = [hook for name in HOOKS for hook in dict(holds.get(name, {})).values()]
    for function in [*functions, holds.get("forward")]:
        for one in _written_by(function):
            yield from _undo_container(one, DEPTH)


def _undo_container(one: Any, depth: int) -> Iterator[Callable[[], None]]:
    """Nothing where it is no plain list, dict or set."""
    kept: Any
    if type(one) in (dict, OrderedDict):
        kept = dict(one)

        def undo() -> None:
            if len(one) != len(kept) or any(name not in one or one[name] is not kept[name] for name in kept):
                one.clear()
                one.update(kept)

        inside = list(kept.values())
    elif type(one) is list:
        kept = list(one)

        def undo() -> None:
            one[:] = kept

        inside = kept
    elif type(one) is set:
        kept = set(one)

        def undo() -> None:
            one.clear()
            one.update(kept)

        inside = []
    else:
        return
    yield undo
    if depth > 1:
        for part in inside:
            yield from _undo_container(part, depth - 1)


def _written_by(function: Any) -> list[Any]:
    """What a hook or a patched forward pass could write to: what it closes over, and the globals that it names."""
    function = inspect.unwrap(getattr(function, "func", function))
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType):
        return []
    found = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    return found + [function.__globals__[name] for name in function.__code__.co_names if name in function.__globals__]


def _filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # asking is what fails
    except ValueError:
        return False
    return True


def _tensors(module: nn.Module) -> list[Tensor]:
    """Every tensor that some module in it holds, once."""
    found: dict[int, Tensor] = {}
    for part in module.modules():
        holders = (part.__dict__, part.__dict__.get("_parameters", {}), part.__dict__.get("_buffers", {}))
        for holder in holders:
            found |= {id(one): one for one in dict(holder).values() if isinstance(one, Tensor) and not is_lazy(one)}
    return list(found.values())


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
