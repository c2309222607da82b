"""Make `len(rows)` traceable: Python requires an integer of it, which no tracer can follow by itself."""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, fx, nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks")


def _length(value: Any) -> Any:
    """As `len`, but its result is traced where its argument is."""
    if isinstance(value, fx.Proxy):
        return value.tracer.create_proxy("call_function", builtins.len, (value,), {})
    return value.shape[0] if isinstance(value, Tensor) and value.dim() else builtins.len(value)


@contextmanager
def traceable_len(module: nn.Module) -> Iterator[None]:
    """Inside the block, `len` of a traced tensor is traced as its `shape[0]` is, in all files that define a module's code.

    This adds a `len` to the globals of these files, as `torch.fx.wrap("len")` in each of them would do; a file with its own `len`
    keeps that one. For values that are not traced, it returns what `len` returns.

    Args:
        module: The module to trace.
    """
    files = {id(scope): scope for scope in _globals(module) if "len" not in scope}
    for names in files.values():
        names["len"] = _length
    try:
        yield
    finally:
        for names in files.values():
            names.pop("len", None)


def _globals(module: nn.Module) -> Iterator[dict[str, Any]]:
    """The globals of every function that a forward pass may call, without torch's own."""
    for part in module.modules():
        for kind in type(part).__mro__:
            if not kind.__module__.startswith("torch."):
                yield from _scopes_of(vars(kind).values())
        hooks = (hook for name in HOOKS for hook in vars(part).get(name, {}).values())
        yield from _scopes_of([vars(part).get("forward"), *hooks])


def _scopes_of(functions: Any) -> Iterator[dict[str, Any]]:
    for candidate in functions:
        function = _unwrapped(candidate)
        if function is not None:
            yield function.__globals__


def _unwrapped(function: Any) -> Callable[..., Any] | None:
    """The function in a method, a partial function or a decorated one."""
    function = getattr(function, "func", function)
    function = getattr(function, "__func__", function)
    return inspect.unwrap(function) if inspect.isfunction(function) else None
