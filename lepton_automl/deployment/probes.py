"""Small benchmark models for a runtime: peak arithmetic, and chains of almost empty kernels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .graph import IR_VERSION, OPSET, Array
from .session import OnnxModel

Callee = Callable[[], object]

SIDE = 384  # of the matrices: their product takes half a millisecond, and they fit in the L2 cache
CHANNELS, PIXELS = 64, 28  # of the convolution: full vectors, and a map of a typical size
TINY = np.ones((1, 8), np.float32)
SHORT, LONG = 4, 68  # kernels of the two chains whose difference gives the cost of one


def arithmetic_probes(threads: int) -> dict[str, tuple[Callee, int]]:
    """Calls that reach the runtime's peak arithmetic, each with its multiply-accumulates; `"int8"` uses 8-bit integers."""
    matrix = np.ones((SIDE, SIDE), np.float32)
    weight = np.ones((CHANNELS, CHANNELS, 3, 3), np.float32)
    image = np.ones((1, CHANNELS, PIXELS, PIXELS), np.float32)
    product = helper.make_node("MatMul", ["x", "w"], ["answer"])
    integer_product = helper.make_node("MatMulInteger", ["x", "w"], ["answer"])
    conv = helper.make_node("Conv", ["x", "w"], ["answer"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    return {
        "matmul": (_probe([product], matrix, {"w": matrix}, threads), SIDE**3),
        "conv": (_probe([conv], image, {"w": weight}, threads), weight.size * PIXELS**2),
        "int8": (_probe([integer_product], matrix.astype(np.uint8), {"w": matrix.astype(np.int8)}, threads), SIDE**3),
    }


def chains(threads: int) -> dict[int, Callee]:
    """Calls of almost empty kernels, by their number of kernels: they give the fixed costs of a kernel and of a call."""
    return {count: _call(OnnxModel(chain_bytes(count), threads), TINY) for count in (SHORT, LONG)}


def chain_bytes(count: int) -> bytes:
    """A model of `count` tiny kernels of typical kinds in sequence; its input has the shape and type of `TINY`."""
    names = ["x", *(f"y{n}" for n in range(1, count)), "answer"]
    kinds = (("Max", "v"), ("MatMul", "w"), ("Neg",), ("Softmax",))
    nodes = []
    for n in range(count):
        op, *weight = kinds[n % len(kinds)]
        nodes.append(helper.make_node(op, [names[n], *weight], [names[n + 1]], name=f"chain_{n}"))
    return _probe_bytes(nodes, TINY, {"v": TINY, "w": np.eye(TINY.size, dtype=np.float32)})


def _probe(nodes: list[onnx.NodeProto], example: Array, weights: dict[str, Array], threads: int) -> Callee:
    return _call(OnnxModel(_probe_bytes(nodes, example, weights), threads), example)


def _call(model: OnnxModel, example: Array) -> Callee:
    arrays = {"x": example}
    return lambda: model(arrays)


def _probe_bytes(nodes: list[onnx.NodeProto], example: Array, weights: dict[str, Array]) -> bytes:
    """A model with the input `"x"`, of the shape and type of `example`, and the output `"answer"`."""
    kind = helper.np_dtype_to_tensor_dtype(example.dtype)
    answer = TensorProto.INT32 if example.dtype == np.uint8 else kind
    graph = helper.make_graph(
        nodes,
        "probe",
        [helper.make_tensor_value_info("x", kind, example.shape)],
        [helper.make_tensor_value_info("answer", answer, [None] * example.ndim)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())
