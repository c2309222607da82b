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


class UnsupportedOperation(Exception):  # noqa: N818  # not yet an error: the other exporter is tried
    """The translator does not support this operation."""


class BatchDependent:
    """A number that depends on the batch size; only the shapes of the results are needed of it."""


@dataclass(frozen=True)
class Term:
    """A tensor in the graph.

    Args:
        name: Its name in ONNX; unused for a constant.
        example: Its value for one batch.
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
        """A dimension counted from the front."""
        return dim % self.rank

    def axes(self, dims: int | Sequence[int] | None) -> list[int]:
        """Dimensions counted from the front; all of them for None."""
        if dims is None:
            return list(range(self.rank))
        return [self.axis(dim) for dim in ([dims] if isinstance(dims, int) else dims)]


@dataclass(frozen=True)
class Call:
    """One function call: the graph to write it to, and its result.

    Args:
        graph: The graph that is written.
        example: The result for one batch.
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
        """Append a node."""
        return self.graph.add(op, *inputs, outputs=outputs, **attributes)

    def integers(self, numbers: Sequence[int]) -> str:
        """A list of integers as an input, as shapes and axes are."""
        return self.graph.weight(np.asarray(numbers, dtype=np.int64))

    def cast(self, name: str, dtype: torch.dtype | None) -> str:
        """A value in another type."""
        return self.add("Cast", name, to=helper.np_dtype_to_tensor_dtype(numpy_type(dtype)))

    def reshape(self, name: str) -> str:
        """A value in the shape of the result, of which one dimension may vary."""
        require(self.shape.count(None) <= 1, "a reshape with two dimensions that vary")
        return self.add("Reshape", name, self.integers([-1 if size is None else size for size in self.shape]))


Operation = Callable[..., Any]
OPERATIONS: dict[str, Operation] = {}


def operation(*names: str) -> Callable[[Operation], Operation]:
    """Decorator: registers the translation of the torch functions and methods of these names.

    A translation takes a `Call`, then what the torch function takes, in the same order and under the same names; the first
    argument is always positional. It returns an ONNX name, several, or a `Term` that already exists.
    """

    def put(entry: Operation) -> Operation:
        OPERATIONS.update(dict.fromkeys(names, entry))
        return entry

    return put


def require(good: object, what: str) -> None:
    """Refuse a call unless `good`.

    Raises:
        UnsupportedOperation: With `what` as its reason.
    """
    if not good:
        raise UnsupportedOperation(what)


def numpy_type(dtype: torch.dtype | None) -> np.dtype[Any]:
    """The same type in NumPy."""
    require(dtype is not None, "a cast to nothing")
    return torch.empty(0, dtype=dtype).numpy().dtype
