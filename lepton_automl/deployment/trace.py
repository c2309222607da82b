"""A module written down as a graph of torch's functions, with an example of every value in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

BATCHES = (2, 3)  # what differs between two batch sizes depends on the batch size; 1 would hide in broadcasting


@dataclass(frozen=True)
class Traced:
    """What `trace` returns.

    Args:
        module: The traced module; its graph has one placeholder, the dict of inputs.
        examples: For each node, its value for each of `BATCHES`.
        constant: Nodes that no input reaches.
    """

    module: fx.GraphModule
    examples: tuple[dict[fx.Node, Any], ...]
    constant: frozenset[fx.Node]


class _Root(nn.Module):
    """One positional argument, so that modules with any keyword signature can be traced."""

    def __init__(self, module: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.module, self.names = module, names

    def forward(self, inputs: dict[str, Tensor]) -> Any:
        return self.module(**{name: inputs[name] for name in self.names})


class _Tracer(fx.Tracer):
    """Looks into torch's own layers too, so that only functions remain; batch norms check ranks in ways that cannot be traced."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        del module_qualified_name
        return isinstance(m, nn.modules.batchnorm._BatchNorm)  # noqa: SLF001  # the common base of all batch norms has no public name


class _Recorder(fx.Interpreter):
    """Runs a graph and keeps every value."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module, garbage_collect_values=False)

    def record(self, inputs: dict[str, Tensor]) -> dict[fx.Node, Any]:
        self.run(inputs)
        return dict(self.env)


def trace(module: nn.Module, inputs: dict[str, Tensor]) -> Traced:
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
        examples = tuple(_Recorder(traced).record(_rows(inputs, batch)) for batch in BATCHES)
    return Traced(traced, examples, frozenset(_constants(graph)))


def layer_of(node: fx.Node) -> str:
    """The module of the traced network that a node stands in, by its path; empty for the network's own forward pass."""
    within = list(node.meta.get("nn_module_stack", {}).values())
    path: str = within[-1][0] if within else ""
    return path.removeprefix("module").removeprefix(".")


def _rows(inputs: dict[str, Tensor], batch: int) -> dict[str, Tensor]:
    """Exactly so many rows, repeated where there are fewer."""
    return {name: rows[torch.arange(batch, device=rows.device) % len(rows)] for name, rows in inputs.items()}


def _constants(graph: fx.Graph) -> set[fx.Node]:
    found: set[fx.Node] = set()
    for node in graph.nodes:
        if node.op not in ("placeholder", "output") and all(source in found for source in node.all_input_nodes):
            found.add(node)
    return found
