"""An ONNX graph under construction."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

Array = NDArray[Any]

OPSET = 20  # the first with Gelu; ONNX Runtime reads it since 1.17
IR_VERSION = 9  # of the same release; helper would write its own newest, which older runtimes refuse
MOST_SHARED = 64  # numbers in a weight that is stored only once; shapes, axes and scalars are that small


class GraphWriter:
    """Nodes and weights in the order in which they are added, which must be a valid execution order.

    Attributes:
        layer: The module that is being written, by its path in the network; nodes are named after it, so that what a
            runtime reports about a node can be attributed to the layer.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, Array] = {}
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.layer = ""
        self._names: Counter[str] = Counter()
        self._nodes: Counter[str] = Counter()
        self._same: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def input(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> str:
        """Declare an input of the shape (batch, *shape); the batch may be of any size."""
        kind = helper.np_dtype_to_tensor_dtype(dtype)
        self.inputs.append(helper.make_tensor_value_info(name, kind, ["batch", *shape]))
        return name

    def weight(self, array: Array) -> str:
        """Add a constant and return its name; equal small constants are stored once."""
        if array.size > MOST_SHARED:
            return self._store(array)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._same:
            self._same[key] = self._store(array)
        return self._same[key]

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Append a node; attributes that are None are left out.

        Returns:
            The name of its (first) result; the names of further results end in `.1`, `.2` and so on.
        """
        name = self._new_name(op.lower())
        names = [name, *(f"{name}.{n}" for n in range(1, outputs))]
        present = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(op, list(inputs), names, name=self._label() or name, **present))
        return name

    def output(self, name: str, result: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        """Declare a value of the shape (batch, *shape) to be an output of the graph with the given name."""
        self.nodes.append(helper.make_node("Identity", [result], [name], name=name))
        kind = helper.np_dtype_to_tensor_dtype(dtype)
        self.outputs.append(helper.make_tensor_value_info(name, kind, ["batch", *shape]))

    def makers(self) -> dict[str, onnx.NodeProto]:
        """The node that computes each value."""
        return {name: node for node in self.nodes for name in node.output}

    def uses(self) -> Counter[str]:
        """The number of node inputs that read each value."""
        return Counter(name for node in self.nodes for name in node.input)

    def save(self, path: Path, producer: str) -> None:
        """Write one file that contains the weights.

        Args:
            path: Where to write.
            producer: The producer name in the file.
        """
        model = onnx.ModelProto(ir_version=IR_VERSION, producer_name=producer)
        model.opset_import.add(version=OPSET)
        graph = model.graph  # filled in place: a copy of large weights costs as much as everything else together
        graph.name = "lepton"
        graph.node.extend(self.nodes)
        graph.input.extend(self.inputs)
        graph.output.extend(self.outputs)
        used = {name for node in self.nodes for name in node.input}
        for name, array in self.weights.items():
            if name in used:
                kind = helper.np_dtype_to_tensor_dtype(array.dtype)
                graph.initializer.add(name=name, data_type=kind, dims=array.shape, raw_data=array.tobytes())
        path.write_bytes(model.SerializeToString())

    def _label(self) -> str:
        """A name for a node of the current layer: the layer's own path for its first node, `path/2` for its second."""
        if not self.layer:
            return ""
        self._nodes[self.layer] += 1
        number = self._nodes[self.layer]
        return self.layer if number == 1 else f"{self.layer}/{number}"

    def _store(self, array: Array) -> str:
        name = self._new_name("weight")
        self.weights[name] = array
        return name

    def _new_name(self, stem: str) -> str:
        self._names[stem] += 1
        return f"{stem}_{self._names[stem]}"
