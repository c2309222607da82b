"""The arithmetic and the bytes of each node of an ONNX file, from the shapes alone."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import helper, shape_inference

Shape = tuple[int, ...]

SCOPES = "pkg.torch.onnx.name_scopes"  # where torch's exporter stores the modules around a node, as a list
OWN_FORWARD = "forward"  # nodes of the network's own forward pass, outside of its modules
CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}  # and the index of the weights among their inputs
PRODUCTS = {"Gemm": 0, "MatMul": 0, "MatMulInteger": 0, "QLinearMatMul": 0}  # and the index of the left factor


@dataclass(frozen=True)
class Tensor:
    """A value in a graph: its shape in one call, and the bytes of one element."""

    shape: Shape
    item: int

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Number of bytes."""
        return self.size * self.item


class Graph:
    """An ONNX file with the shape of every value in it.

    Args:
        path: The file.
        rows: Rows of one call.
    """

    def __init__(self, path: Path, rows: int) -> None:
        model = onnx.load(path)
        for value in model.graph.input:
            value.type.tensor_type.shape.dim[0].dim_value = rows
        # The stored output shapes are for any number of rows; they are inferred anew for this one.
        for value in model.graph.output:
            value.type.tensor_type.shape.Clear()
        graph = shape_inference.infer_shapes(model, data_prop=True).graph
        self.nodes = list(graph.node)
        self.weights = {tensor.name: Tensor(tuple(tensor.dims), _item(tensor.data_type)) for tensor in graph.initializer}
        values = (*graph.input, *graph.value_info, *graph.output)
        self.tensors = {tensor.name: _tensor(tensor) for tensor in values} | self.weights
        self.makers = {name: node for node in self.nodes for name in node.output}

    def macs(self, node: onnx.NodeProto) -> int:
        """Multiply-accumulates of a node; 0 for anything but convolutions and matrix products."""
        if node.op_type in CONVOLUTIONS:
            kernel = self.tensors[node.input[CONVOLUTIONS[node.op_type]]].shape
            return self.tensors[node.output[0]].size * math.prod(kernel[1:])
        if node.op_type in PRODUCTS:
            left = self.tensors[node.input[PRODUCTS[node.op_type]]].shape
            transposed = any(item.name == "transA" and item.i for item in node.attribute)
            return self.tensors[node.output[0]].size * left[0 if transposed else -1]
        return 0

    def bytes(self, name: str) -> int:
        """Bytes of a value; 0 where its shape is unknown."""
        return self.tensors[name].bytes if name in self.tensors else 0


def layer_of(node: onnx.NodeProto) -> str:
    """The layer that a node belongs to, as our exporter or torch's stored it; else the node's own name."""
    scopes = next((prop.value for prop in node.metadata_props if prop.key == SCOPES), "[]")
    modules = [scope for scope in ast.literal_eval(scopes)[:-1] if scope]  # the last one is the node's own
    if not modules:
        return str(node.name).partition("/")[0]
    return str(modules[-1]).removeprefix("module").removeprefix(".") or OWN_FORWARD


def initializer_sizes(path: Path) -> Mapping[str, int]:
    """The number of elements of each weight of a file, by name."""
    return {tensor.name: math.prod(tensor.dims) for tensor in onnx.load(path).graph.initializer}


def _tensor(value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    return Tensor(tuple(max(1, dim.dim_value) for dim in kind.shape.dim), _item(kind.elem_type))


def _item(kind: int) -> int:
    return int(helper.tensor_dtype_to_np_dtype(kind).itemsize) if kind else 0
