"""Fold constant arithmetic into weights at export."""

from __future__ import annotations

import numpy as np
import onnx

from .embedding_fusion import fuse_embeddings
from .graph import Array, GraphWriter


def fold(graph: GraphWriter) -> None:
    """Fold batch norms into the convolution or linear layer beside them, and paddings and scales into the convolution after.

    All of it is exact up to rounding: `(W x + b) s + t = (s W) x + (s b + t)` (Jacob et al., CVPR 2018, section 3.2),
    `W (x s + t) + b = (W s) x + (W t + b)` (where no border is padded), and `W (x / s) = (W / s) x` (also at borders
    padded with zeros).
    """
    _fold_batch_norms(graph)
    _fold_norms_ahead(graph)
    _fold_paddings(graph)
    _fold_scales(graph)
    fuse_embeddings(graph)


def _fold_batch_norms(graph: GraphWriter) -> None:
    makers, uses = graph.makers(), graph.uses()
    for norm in [node for node in graph.nodes if node.op_type == "BatchNormalization"]:
        maker = makers.get(norm.input[0])
        if maker is None or maker.op_type not in ("Conv", "Gemm") or uses[norm.input[0]] > 1:
            continue
        if any(name not in graph.weights for name in maker.input[1:]):
            continue
        factor, shift = _scale_and_shift(graph, norm)
        weight, bias = _weights(graph, maker)
        # Both have their outputs in the first axis: Conv by definition, Gemm because of transB.
        folded = weight * factor.astype(weight.dtype).reshape(-1, *[1] * (weight.ndim - 1))
        _set_weights(graph, maker, folded, bias * factor + shift)
        maker.output[0] = norm.output[0]
        graph.nodes.remove(norm)


def _fold_norms_ahead(graph: GraphWriter) -> None:
    makers, uses = graph.makers(), graph.uses()
    for linear in [node for node in graph.nodes if node.op_type == "Gemm"]:
        norm = makers.get(linear.input[0])
        if norm is None or norm.op_type != "BatchNormalization" or uses[linear.input[0]] > 1:
            continue
        if any(name not in graph.weights for name in linear.input[1:]):
            continue
        factor, shift = _scale_and_shift(graph, norm)
        weight, bias = _weights(graph, linear)
        _set_weights(graph, linear, weight * factor.astype(weight.dtype), weight @ shift + bias)
        linear.input[0] = norm.input[0]
        graph.nodes.remove(norm)


def _fold_paddings(graph: GraphWriter) -> None:
    """Let a convolution pad its input with zeros itself; uneven paddings, as TensorFlow has them, are separate in torch."""
    makers, uses = graph.makers(), graph.uses()
    for conv in [node for node in graph.nodes if node.op_type == "Conv"]:
        pad = makers.get(conv.input[0])
        if pad is None or pad.op_type != "Pad" or uses[conv.input[0]] > 1 or pad.attribute[0].s != b"constant":
            continue
        sizes, filler = graph.weights.get(pad.input[1]), graph.weights.get(pad.input[2])
        own = next(item for item in conv.attribute if item.name == "pads")
        if sizes is None or filler is None or filler.any() or (sizes < 0).any():
            continue
        before, after = sizes[: len(sizes) // 2], sizes[len(sizes) // 2 :]
        if before[:2].any() or after[:2].any():
            continue
        added = [int(size) for size in (*before[2:], *after[2:])]
        own.ints[:] = [size + more for size, more in zip(own.ints, added, strict=True)]
        conv.input[0] = pad.input[0]
        graph.nodes.remove(pad)


def _fold_scales(graph: GraphWriter) -> None:
    makers, uses = graph.makers(), graph.uses()
    for conv in [node for node in graph.nodes if node.op_type == "Conv"]:
        maker = makers.get(conv.input[0])
        if maker is None or maker.op_type not in ("Mul", "Div") or uses[conv.input[0]] > 1:
            continue
        weight, scale = graph.weights.get(conv.input[1]), graph.weights.get(maker.input[1])
        group = next(item.i for item in conv.attribute if item.name == "group")
        if weight is None or scale is None or group != 1 or not _per_channel(scale, weight):
            continue
        factor = scale.reshape(1, -1, *[1] * (weight.ndim - 2)).astype(weight.dtype)
        folded = weight * factor if maker.op_type == "Mul" else weight / factor
        conv.input[1] = graph.weight(folded)
        conv.input[0] = maker.input[0]
        graph.nodes.remove(maker)


def _per_channel(scale: Array, weight: Array) -> bool:
    """Whether a scale is one number for all, or one number per input channel of a convolution."""
    axes, channels = weight.ndim - 2, weight.shape[1]
    return scale.size == 1 or (scale.size == channels and scale.shape[-axes - 1 :] == (channels, *[1] * axes))


def _scale_and_shift(graph: GraphWriter, norm: onnx.NodeProto) -> tuple[Array, Array]:
    """A batch norm as `x * factor + shift`."""
    scale, shift, mean, variance = (graph.weights[name].astype(np.float64) for name in norm.input[1:])
    factor = scale / np.sqrt(variance + norm.attribute[0].f)
    return factor, shift - mean * factor


def _weights(graph: GraphWriter, node: onnx.NodeProto) -> tuple[Array, Array]:
    """Weight and bias, which is zero where there is none."""
    weight = graph.weights[node.input[1]]
    return weight, graph.weights[node.input[2]] if len(node.input) > 2 else np.zeros(len(weight))


def _set_weights(graph: GraphWriter, node: onnx.NodeProto, weight: Array, bias: Array) -> None:
    dtype = graph.weights[node.input[1]].dtype
    names = [graph.weight(part.astype(dtype, copy=False)) for part in (weight, bias)]
    del node.input[1:]
    node.input.extend(names)
