"""Runs a network in NumPy, from a file format of its own. This file travels with every such model: it needs NumPy alone.

A file is an `.npz` archive: the weights by name, and the program as JSON in bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.errors import BundleError

PROGRAM = "program"


class NumpySession:
    """An opened program."""

    any_rows = True

    def __init__(self, program: Json, weights: dict[str, Array]) -> None:
        self.program, self.weights = program, weights

    def __call__(self, arrays: dict[str, Array]) -> Array:
        """The output for some rows; the first of several."""
        return next(iter(self.outputs(arrays).values()))

    def outputs(self, arrays: dict[str, Array]) -> dict[str, Array]:
        """All outputs for some rows, by their names."""
        values = {**self.weights, **arrays}
        for step in self.program["steps"]:
            inputs = [values[name] if name else None for name in step["inputs"]]
            values[step["output"]] = OPERATIONS_OF[step["op"]](step["attributes"], *inputs)
        return {name: np.array(values[name], np.float32) for name in self.program["outputs"]}  # never an input itself


class NumpyLoader:
    """Opens such files."""

    def __init__(self, how: Mapping[str, Any]) -> None:
        del how

    def operations(self, content: bytes) -> list[str]:
        """None: all operations are arithmetic and end."""
        del content
        return []

    def open(self, source: Path | bytes, threads: int = 1, *, rows: int = 0, strict: bool = True) -> NumpySession:
        """The program with its weights."""
        del threads, rows, strict
        try:
            with np.load(io.BytesIO(source) if isinstance(source, bytes) else source, allow_pickle=False) as archive:
                weights = dict(archive)
            program = json.loads(weights.pop(PROGRAM).tobytes())
        except Exception as error:
            raise BundleError(f"NumPy cannot open this file: {error}", where="the model") from error
        return NumpySession(program, weights)


def _conv(attributes: Json, x: Array, weight: Array, bias: Array | None = None) -> Array:
    """A convolution, by windows."""
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    down, across = attributes.get("strides", [1, 1])
    group = attributes.get("group", 1)
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], (2, 3))[:, :, ::down, ::across]
    rows, channels, *rest = windows.shape
    windows = windows.reshape(rows, group, channels // group, *rest)
    kernels = weight.reshape(group, len(weight) // group, *weight.shape[1:])
    result = np.einsum("ngchwij,gocij->ngohw", windows, kernels).reshape(rows, len(weight), *rest[:2])
    return result if bias is None else result + bias[:, None, None]


def _gemm(attributes: Json, x: Array, weight: Array, bias: Array | None = None) -> Array:
    """A linear layer."""
    product = x @ (weight.T if attributes.get("transB") else weight)
    return product if bias is None else product + bias


def _softmax(attributes: Json, x: Array) -> Array:
    """Probabilities."""
    powers = np.exp(x - x.max(attributes.get("axis", -1), keepdims=True))
    return powers / powers.sum(attributes.get("axis", -1), keepdims=True)


def _reshape(attributes: Json, x: Array, shape: Array) -> Array:
    """Another shape, in which 0 stands for an axis as it is."""
    del attributes
    return x.reshape([x.shape[at] if size == 0 else size for at, size in enumerate(shape.tolist())])


def _axes(axes: Any) -> tuple[int, ...]:
    return tuple(np.atleast_1d(axes).tolist())


OPERATIONS_OF: dict[str, Callable[..., Array]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "Softmax": _softmax,
    "Reshape": _reshape,
    "MatMul": lambda _, x, y: x @ y,
    "Relu": lambda _, x: np.maximum(x, 0),
    "Identity": lambda _, x: x,
    "Add": lambda _, x, y: x + y,
    "Mul": lambda _, x, y: x * y,
    "Div": lambda _, x, y: x / y,
    "Sub": lambda _, x, y: x - y,
    "Tanh": lambda _, x: np.tanh(x),
    "Gather": lambda attributes, x, places: np.take(x, places, attributes.get("axis", 0)),
    "Max": lambda _, x, y: np.maximum(x, y),
    "Clip": lambda _, x, low=None, high=None: np.clip(x, low, high) if low is not None or high is not None else x,
    "GlobalAveragePool": lambda _, x: x.mean((2, 3), keepdims=True),
    "ReduceSum": lambda attributes, x, axes: x.sum(_axes(axes), keepdims=bool(attributes.get("keepdims", 1))),
    "Unsqueeze": lambda _, x, axes: np.expand_dims(x, _axes(axes)),
    "Squeeze": lambda _, x, axes: np.squeeze(x, _axes(axes)),
    "Concat": lambda attributes, *parts: np.concatenate(parts, attributes["axis"]),
}
