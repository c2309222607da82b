"""The parts of a translation to ONNX: terms, calls, and the table of supported operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from onnx import helper
from torch import Tensor

from .graph import GraphWriter

Shape = tuple[int | None, ...]


class UnsupportedOperation(Exception):  # noqa: N818  # not an error for the user: the other exporter is tried
    """The translator does not support this operation."""


class BatchDependent:
    """A number that depends on the batch size; only the shapes of the results that use it are needed."""


@dataclass(frozen=True)
class Term:
    """A tensor in the graph.

    Args:
        name: Its name in ONNX; unused for a constant.
        example: Its value for an example batch.
        shape: Its shape; None where it varies with the batch.
        constant: Whether its value is always the example.
    """

    name: str
    example: Tensor
    shape: Shape
    constant: bool = False

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def axis(self, dim: int) -> int:
        """The index of a dimension, counted from the front."""
        return dim % self.rank

    def axes(self, dims: int | Sequence[int] | None) -> list[int]:
        """The indices of dimensions, counted from the front; all of them for None."""
        if dims is None:
            return list(range(self.rank))
        return [self.axis(dim) for dim in ([dims] if isinstance(dims, int) else dims)]


@dataclass(frozen=True)
class Call:
    """One function call: the graph to write it to, and its result.

    Args:
        graph: The graph under construction.
        example: The result for an example batch.
        shape: The shape of the result, where it is one tensor; None where it varies with the batch.
    """

    graph: GraphWriter
    example: Any
    shape: Shape

    def name(self, value: Any, dtype: torch.dtype | None = None) -> str:
        """The ONNX name of a term or a number, cast where another type is requested.

        Raises:
            UnsupportedOperation: It is neither.
        """
        if isinstance(value, Term) and not value.constant:
            return value.name if dtype in (None, value.example.dtype) else self.cast(value.name, dtype)
        number = value.example if isinstance(value, Term) else value
        require(isinstance(number, Tensor | int | float), f"an argument of type {type(number).__name__}")
        return self.graph.weight(torch.as_tensor(number, dtype=dtype).detach().cpu().numpy())

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Append a node; see `GraphWriter.add`."""
        return self.graph.add(op, *inputs, outputs=outputs, **attributes)

    def integers(self, numbers: Sequence[int]) -> str:
        """Integers, such as a shape or axes, as an input."""
        return self.graph.weight(np.asarray(numbers, dtype=np.int64))

    def cast(self, name: str, dtype: torch.dtype | None) -> str:
        """Cast a value to another type."""
        return self.add("Cast", name, to=helper.np_dtype_to_tensor_dtype(numpy_type(dtype)))

    def reshape(self, name: str) -> str:
        """Reshape a value to the shape of the result, of which one dimension may vary."""
        require(self.shape.count(None) <= 1, "a reshape with two dimensions that vary")
        return self.add("Reshape", name, self.integers([-1 if size is None else size for size in self.shape]))


Operation = Callable[..., Any]
OPERATIONS: dict[str, Operation] = {}


def operation(*names: str) -> Callable[[Operation], Operation]:
    """Decorate a translation to register it for the torch functions and methods with these names.

    A translation takes a `Call`, then the arguments of the torch function, in the same order and with the same names; the first
    argument is always positional. It returns an ONNX name, several, or a `Term` that already exists.
    """

    def register(entry: Operation) -> Operation:
        OPERATIONS.update(dict.fromkeys(names, entry))
        return entry

    return register


def require(condition: object, what: str) -> None:
    """Refuse a call unless a condition holds.

    Raises:
        UnsupportedOperation: With `what` as its reason.
    """
    if not condition:
        raise UnsupportedOperation(what)


def numpy_type(dtype: torch.dtype | None) -> np.dtype[Any]:
    """The corresponding NumPy type."""
    require(dtype is not None, "a cast without a type")
    return torch.empty(0, dtype=dtype).numpy().dtype
