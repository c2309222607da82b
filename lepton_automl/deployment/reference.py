"""The reference network: a fixed small workload that all measurements are interleaved with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from .graph import IR_VERSION, OPSET, Array
from .session import OnnxModel

INPUT = "image"  # its name in the file; the file's bytes never change
IMAGE = (1, 8, 32, 32)
CHANNELS = 96
WIDTH = 256


def reference_model(threads: int) -> Callable[[], object]:
    """Return a call of the reference network: convolutions, then wide linear layers.

    It takes about a tenth of a millisecond and uses the same operations as candidates, so that whatever slows them down slows
    it down too. It never changes between releases: every latency in every journal is a multiple of it.

    Args:
        threads: Threads that one call may use.
    """
    model = OnnxModel(reference_bytes(), threads)
    rows = {INPUT: _fixed_values(INPUT, IMAGE)}

    def call() -> object:
        return model(rows)

    return call


def reference_bytes() -> bytes:
    """The network as an ONNX file."""
    weights = {
        "w1": _fixed_values("w1", (CHANNELS, IMAGE[1], 3, 3)),
        "w2": _fixed_values("w2", (CHANNELS, 1, 3, 3)),
        "w3": _fixed_values("w3", (CHANNELS, CHANNELS, 1, 1)),
        "w4": _fixed_values("w4", (CHANNELS, WIDTH)),
        "w5": _fixed_values("w5", (WIDTH, WIDTH)),
        "w6": _fixed_values("w6", (WIDTH, WIDTH)),
    }
    nodes = [
        helper.make_node("Conv", [INPUT, "w1"], ["c1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2], group=CHANNELS),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Conv", ["r2", "w3"], ["c3"], kernel_shape=[1, 1]),
        helper.make_node("Relu", ["c3"], ["r3"]),
        helper.make_node("GlobalAveragePool", ["r3"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w4"], ["m4"]),
        helper.make_node("Relu", ["m4"], ["r4"]),
        helper.make_node("MatMul", ["r4", "w5"], ["m5"]),
        helper.make_node("Relu", ["m5"], ["r5"]),
        helper.make_node("MatMul", ["r5", "w6"], ["answer"]),
    ]
    graph = helper.make_graph(
        nodes,
        "reference",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, IMAGE)],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, (IMAGE[0], WIDTH))],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString(deterministic=True))


def _fixed_values(name: str, shape: tuple[int, ...]) -> Array:
    """Values between -0.1 and 0.1, independent of any library's random generator: a multiplicative hash of their index."""
    indices = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint32) + np.uint32(sum(name.encode()) * 65537)
    hashes = (indices * np.uint32(2654435761)) >> np.uint32(8)  # Knuth's constant; the upper 24 bits fill a float32
    return (hashes.astype(np.float32) / np.float32(2**24) - np.float32(0.5)).reshape(shape) / np.float32(5)
