"""Trace a module to a graph of torch functions, with an example of every value in it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

BATCHES = (2, 3)  # what differs between these two depends on the batch size; with a size of 1, broadcasting could hide that


@dataclass(frozen=True)
class TracedModule:
    """What `trace` returns.

    Args:
        module: The traced module; its graph has one placeholder, the dict of inputs.
        examples: For each node, its value for each of `BATCHES`.
        constant: Nodes that do not depend on an input.
        changing: Nodes that change their inputs in place.
    """

    module: fx.GraphModule
    examples: tuple[dict[fx.Node, Any], ...]
    constant: frozenset[fx.Node]
    changing: frozenset[fx.Node]


class _Root(nn.Module):
    """One positional argument, so that modules with any keyword signature can be traced."""

    def __init__(self, module: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.module, self.names = module, names

    def forward(self, inputs: dict[str, Tensor]) -> Any:
        return self.module(**{name: inputs[name] for name in self.names})


class _Value(fx.Proxy):
    """A traced value. `x += y` changes x in place, where fx's own proxies create a new value."""

    def __iadd__(self, other: Any) -> Any:
        return self._in_place(operator.iadd, other)

    def __isub__(self, other: Any) -> Any:
        return self._in_place(operator.isub, other)

    def __imul__(self, other: Any) -> Any:
        return self._in_place(operator.imul, other)

    def __itruediv__(self, other: Any) -> Any:
        return self._in_place(operator.itruediv, other)

    def _in_place(self, call: Callable[[Any, Any], Any], other: Any) -> Any:
        return self.tracer.create_proxy("call_function", call, (self, other), {})


CHECKS = ("_check_input_dim", "_check_non_zero_input_channels")  # checks of ranks and sizes, which branch on values


class _Tracer(fx.Tracer):
    """Traces every module through its own `forward` and hooks, so that only functions remain.

    A module treated as a leaf, by its class, would lose what a subclass, a hook or a patched instance adds to it.
    """

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        del m, module_qualified_name
        return False

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """A traced value."""
        return _Value(node, self)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the forward pass without the checks in torch's norms: they cannot be traced, and the examples are real rows."""
        disabled = [name for name in CHECKS if _is_from_torch(getattr(type(m), name, None))]
        for name in disabled:
            m.__dict__[name] = _check_nothing
        try:
            return super().call_module(m, forward, args, kwargs)
        finally:
            for name in disabled:
                del m.__dict__[name]


def _is_from_torch(method: Any) -> bool:
    return str(getattr(method, "__module__", "")).startswith("torch.nn.modules.")


def _check_nothing(rows: object) -> None:
    """Check nothing."""


class _Recorder(fx.Interpreter):
    """Runs a graph and records every value, and which nodes change values in place."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module, garbage_collect_values=False)
        self.changing: set[fx.Node] = set()

    def record(self, inputs: dict[str, Tensor]) -> dict[fx.Node, Any]:
        self.run(inputs)
        return dict(self.env)

    def run_node(self, n: fx.Node) -> Any:
        operands = [self.env[source] for source in n.all_input_nodes]
        before = [_version(tensor) for tensor in operands]
        result = super().run_node(n)
        if [_version(tensor) for tensor in operands] != before:
            self.changing.add(n)
        return result


def _version(value: Any) -> int:
    """How often a tensor was changed in place; tensors of inference mode have no counter."""
    return value._version if isinstance(value, Tensor) and not value.is_inference() else 0  # noqa: SLF001  # torch documents it


def trace(module: nn.Module, inputs: dict[str, Tensor]) -> TracedModule:
    """Trace a module in evaluation mode (`torch.fx`; Reed et al., MLSys 2022).

    Args:
        module: Called as `module(**inputs)`.
        inputs: A few rows.

    Raises:
        Exception: Whatever torch raises where the forward pass branches on values.
    """
    root = _Root(module, tuple(inputs))
    graph = _Tracer().trace(root)
    traced = fx.GraphModule(root, graph)
    with torch.no_grad():
        recorders = [_Recorder(traced) for _ in BATCHES]
        examples = tuple(recorder.record(_rows(inputs, batch)) for recorder, batch in zip(recorders, BATCHES, strict=True))
    return TracedModule(traced, examples, frozenset(_constants(graph)), frozenset(recorders[0].changing))


def layer_of(node: fx.Node) -> str:
    """The path of the module that a node belongs to; empty for the network's own forward pass."""
    modules = list(node.meta.get("nn_module_stack", {}).values())
    path: str = modules[-1][0] if modules else ""
    return path.removeprefix("module").removeprefix(".")


def _rows(inputs: dict[str, Tensor], batch: int) -> dict[str, Tensor]:
    """Exactly `batch` rows, repeated where there are fewer."""
    return {name: rows[torch.arange(batch, device=rows.device) % len(rows)] for name, rows in inputs.items()}


def _constants(graph: fx.Graph) -> set[fx.Node]:
    constants: set[fx.Node] = set()
    for node in graph.nodes:
        if node.op not in ("placeholder", "output") and all(source in constants for source in node.all_input_nodes):
            constants.add(node)
    return constants
