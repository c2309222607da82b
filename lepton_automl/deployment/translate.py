"""Translate a traced module to ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx

from . import activations, elementwise, layers, sampling, shapes
from .eager import ANSWER
from .fold import fold
from .graph import GraphWriter
from .node_costs import OWN_FORWARD
from .terms import OPERATIONS, BatchDependent, Call, Shape, Term, UnsupportedOperation, numpy_type, require
from .trace import TracedModule, layer_of

__all__ = ["translate"]
KNOWN_MODULES = ("torch", "_operator", "builtins")
NAMESAKES = (torch.batch_norm, torch.embedding)
_OPERATION_MODULES = (activations, elementwise, layers, sampling, shapes)  # importing them fills OPERATIONS


def translate(traced: TracedModule, inputs: dict[str, Tensor], path: Path) -> None:
    """Write a traced module as one ONNX file.

    Raises:
        UnsupportedOperation: Part of it is not supported.
    """
    translation = _Translation(traced, inputs)
    answer = translation.answer()
    graph = translation.graph
    for name, output in (answer if isinstance(answer, dict) else {ANSWER: answer}).items():
        require(
            isinstance(output, Term) and not output.constant and output.shape[:1] == (None,),
            "an output that is not one tensor of rows",
        )
        graph.output(name, output.name, numpy_type(output.example.dtype), tuple(output.example.shape[1:]))
    fold(graph)
    graph.save(path, producer=f"lepton_automl, torch {torch.__version__}")


class _Translation:
    """Visits the nodes of a traced graph in order and writes each one."""

    def __init__(self, traced: TracedModule, inputs: dict[str, Tensor]) -> None:
        self.traced, self.inputs, self.graph = traced, inputs, GraphWriter()
        self.results: dict[fx.Node, Any] = {}

    def answer(self) -> Any:
        for node in self.traced.module.graph.nodes:
            if node.op == "output":
                return self._value(node.args[0])
            self.graph.layer = layer_of(node) or OWN_FORWARD
            self.results[node] = self._translate(node)
        raise UnsupportedOperation("a graph without an output")

    def _translate(self, node: fx.Node) -> Any:
        first, second = (examples[node] for examples in self.traced.examples)
        if node.op == "placeholder":
            return {name: self._input(name, first[name]) for name in self.inputs}
        if node in self.traced.constant:
            return Term("", first, tuple(first.shape), constant=True) if isinstance(first, Tensor) else first
        if not _holds_tensors(first):
            # Sizes, types and devices are plain values, except those that depend on the batch size.
            return first if first == second else _batch_dependent(first, second)
        result = self._results(self._call(node, Call(self.graph, first, _shape(first, second))), first, second)
        # A call that returned its own input may have changed it: later uses get the changed value.
        examples = self.traced.examples[0]
        if node in self.traced.changing:
            require(
                any(examples[source] is first for source in node.all_input_nodes), f"{_name(node)!r} where it changes a tensor"
            )
            self._refuse_views(node, first)
        self.results.update((other, result) for other in self.results if examples[other] is first)
        return result

    def _refuse_views(self, node: fx.Node, changed: Tensor) -> None:
        """Refuse later uses of another tensor in the same memory, as it has changed too.

        Raises:
            UnsupportedOperation: There is such a use.
        """
        memory, later = changed.untyped_storage().data_ptr(), set[fx.Node]()
        after = node.next
        while after.op != "root":
            later.add(after)
            after = after.next
        for other in self.results:
            example = self.traced.examples[0][other]
            parts = example if isinstance(example, list | tuple) else [example]
            shares = any(
                isinstance(part, Tensor) and part is not changed and part.untyped_storage().data_ptr() == memory
                for part in parts
            )
            require(not shares or later.isdisjoint(other.users), f"{_name(node)!r} in place on a part of another tensor")

    def _input(self, name: str, example: Tensor) -> Term:
        shape = tuple(example.shape[1:])
        return Term(self.graph.input(name, numpy_type(example.dtype), shape), example, (None, *shape))

    def _call(self, node: fx.Node, call: Call) -> Any:
        args = [self._value(arg) for arg in node.args]
        options = {name: self._value(value) for name, value in node.kwargs.items()}
        name = _name(node)
        if name == "getattr":
            return _attribute(call, *args)
        require(name in OPERATIONS, f"the operation {name!r}")
        # The first argument of torch's functions has several names.
        leading = [options.pop(first) for first in ("input", "self", "tensors") if first in options and not args]
        try:
            return OPERATIONS[name](call, *leading, *args, **options)
        except TypeError as error:
            raise UnsupportedOperation(f"the operation {name!r} called in this way ({error})") from error

    def _value(self, argument: Any) -> Any:
        return fx.node.map_aggregate(argument, lambda item: self.results[item] if isinstance(item, fx.Node) else item)

    def _results(self, result: Any, first: Any, second: Any) -> Any:
        """Terms for the ONNX names that a translation returned."""
        if isinstance(result, str):
            return Term(result, first, _shape(first, second))
        if isinstance(result, list):
            return tuple(self._results(*parts) for parts in zip(result, first, second, strict=True))
        return result


def _name(node: fx.Node) -> str:
    """The name of a node's operation in torch, without the suffix of in-place operations.

    Raises:
        UnsupportedOperation: It is a function of another package, or its arguments are in another order than those of the
            function with the same name in `torch.nn.functional`.
    """
    if isinstance(node.target, str):
        name = node.target
    else:
        name = getattr(node.target, "__name__", str(node.target))
        package = str(getattr(node.target, "__module__", None) or "torch").partition(".")[0]
        require(package in KNOWN_MODULES and node.target not in NAMESAKES, f"the function {name!r}")
    return name if name.startswith("_") else name.removesuffix("_")


def _attribute(call: Call, x: Term, name: str) -> Any:
    require(name in ("T", "mT"), f"the attribute {name!r}")
    return OPERATIONS["transpose" if x.rank > 1 else "identity"](call, x, -2, -1)


def _shape(first: Any, second: Any) -> Shape:
    """The shape that two examples share; empty for several tensors, whose shapes are taken one by one."""
    if not isinstance(first, Tensor):
        return ()
    return tuple(a if a == b else None for a, b in zip(first.shape, second.shape, strict=True))


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, list | tuple) and any(isinstance(part, Tensor) for part in value))


def _batch_dependent(first: Any, second: Any) -> Any:
    if isinstance(first, tuple | list):
        return tuple(a if a == b else BatchDependent() for a, b in zip(first, second, strict=True))
    return BatchDependent()
