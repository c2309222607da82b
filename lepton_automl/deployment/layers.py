"""Layers with weights, pooling and reductions as ONNX operators."""

# ruff: noqa: PLR0917, FBT002  # the signatures are torch's own, so that its calls fit them

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .terms import OPERATIONS, Call, Operation, Term, operation, require

Sizes = int | Sequence[int]


def per_axis(sizes: Sizes, count: int) -> list[int]:
    """One size for each axis, from a single size or a list."""
    listed = [sizes] if isinstance(sizes, int) else list(sizes)
    return listed * count if len(listed) == 1 else listed


def _floats(value: Any) -> Tensor:
    """The value of an argument that must be constant."""
    require(isinstance(value, Term) and value.constant, "weights that are computed from the input")
    return value.example.detach()  # type: ignore[no-any-return]  # require() has checked it


@operation("conv1d", "conv2d")
def _conv(
    call: Call,
    x: Term,
    weight: Term,
    bias: Term | None = None,
    stride: Sizes = 1,
    padding: Any = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> str:
    axes = x.rank - 2
    kernel = list(weight.shape[2:])
    spread = per_axis(dilation, axes)
    if padding == "same":
        totals = [d * (int(k or 1) - 1) for d, k in zip(spread, kernel, strict=True)]
        pads = [part // 2 for part in totals] + [part - part // 2 for part in totals]
    else:
        pads = per_axis(0 if padding == "valid" else padding, axes) * 2
    inputs = [call.name(operand) for operand in (x, weight, bias) if operand is not None]
    return call.add(
        "Conv", *inputs, kernel_shape=kernel, strides=per_axis(stride, axes), pads=pads, dilations=spread, group=groups
    )


@operation("linear")
def _linear(call: Call, x: Term, weight: Term, bias: Term | None = None) -> str:
    if x.rank == 2:
        return call.add("Gemm", *(call.name(operand) for operand in (x, weight, bias) if operand is not None), transB=1)
    product = call.add("MatMul", call.name(x), call.name(_floats(weight).T))
    return product if bias is None else call.add("Add", product, call.name(bias))


@operation("matmul", "bmm", "mm")
def _matmul(call: Call, x: Term, other: Term) -> str:
    return call.add("MatMul", call.name(x), call.name(other))


@operation("baddbmm", "addmm")
def _add_product(call: Call, x: Term, left: Term, right: Term, *, beta: float = 1, alpha: float = 1) -> str:
    require(beta == alpha == 1, "a scaled sum of products")
    return call.add("Add", call.add("MatMul", call.name(left), call.name(right)), call.name(x))


@operation("einsum")
def _einsum(call: Call, equation: str, *operands: Any) -> str:
    terms = operands[0] if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    return call.add("Einsum", *(call.name(term) for term in terms), equation=equation)


@operation("embedding")
def _embedding(
    call: Call,
    x: Term,
    weight: Term,
    padding_idx: object = None,
    max_norm: object = None,
    *options: object,
    **named: object,
) -> str:
    del padding_idx, options, named  # these act on gradients only
    require(max_norm is None, "an embedding with max_norm")
    return call.add("Gather", call.name(weight), call.name(x), axis=0)


@operation("one_hot")
def _one_hot(call: Call, x: Term, num_classes: int = -1) -> str:
    require(num_classes > 0, "one_hot without a number of classes")
    values = call.graph.weight(torch.tensor([0, 1]).numpy())
    return call.add("OneHot", call.name(x), call.integers([num_classes]), values, axis=-1)


@operation("batch_norm")
def _batch_norm(
    call: Call,
    x: Term,
    running_mean: Term | None,
    running_var: Term | None,
    weight: Term | None = None,
    bias: Term | None = None,
    training: object = False,
    momentum: object = 0.1,
    eps: float = 1e-5,
) -> str:
    """With running statistics; it may later be folded into the layer before it."""
    del momentum
    require(
        not training and running_mean is not None and running_var is not None, "a batch norm with the statistics of each call"
    )
    mean, variance = _floats(running_mean), _floats(running_var)
    scale = torch.ones_like(mean) if weight is None else _floats(weight)
    shift = torch.zeros_like(mean) if bias is None else _floats(bias)
    weights = [call.name(part) for part in (scale, shift, mean, variance)]
    return call.add("BatchNormalization", call.name(x), *weights, epsilon=eps)


@operation("layer_norm")
def _layer_norm(
    call: Call, x: Term, shape: Sequence[int], weight: Term | None = None, bias: Term | None = None, eps: float = 1e-5
) -> str:
    scale = call.name(torch.ones(*shape) if weight is None else weight)
    shift = [] if bias is None else [call.name(bias)]
    return call.add("LayerNormalization", call.name(x), scale, *shift, axis=-len(shape), epsilon=eps)


@operation("group_norm")
def _group_norm(
    call: Call, x: Term, groups: int, weight: Term | None = None, bias: Term | None = None, eps: float = 1e-5
) -> str:
    """Each group is reshaped to one channel and normalised as an instance."""
    channels = x.shape[1]
    require(channels is not None, "a group norm over channels that vary")
    assert channels is not None
    ones, zero = torch.ones(groups), torch.zeros(groups)
    folded = call.add("Reshape", call.name(x), call.integers([0, groups, -1]))
    normed = call.reshape(call.add("InstanceNormalization", folded, call.name(ones), call.name(zero), epsilon=eps))
    broadcast_shape = (channels, *[1] * (x.rank - 2))
    scaled = normed if weight is None else call.add("Mul", normed, call.name(_floats(weight).reshape(broadcast_shape)))
    return scaled if bias is None else call.add("Add", scaled, call.name(_floats(bias).reshape(broadcast_shape)))


@operation("scaled_dot_product_attention")
def _attention(
    call: Call,
    query: Term,
    key: Term,
    value: Term,
    attn_mask: Term | None = None,
    dropout_p: float = 0.0,
    is_causal: object = False,
    scale: float | None = None,
    enable_gqa: object = False,
) -> str:
    require(not dropout_p, "attention with dropout, which is also active in evaluation mode where it is called as a function")
    require(attn_mask is None and not is_causal and not enable_gqa, "attention with a mask, or with shared heads")
    order = [*range(key.rank - 2), key.rank - 1, key.rank - 2]
    share = float(query.example.shape[-1]) ** -0.5 if scale is None else scale
    scaled = call.add("Mul", call.name(query), call.name(torch.tensor(share)))
    products = call.add("MatMul", scaled, call.add("Transpose", call.name(key), perm=order))
    return call.add("MatMul", call.add("Softmax", products, axis=-1), call.name(value))


# Pooling


@operation("max_pool1d", "max_pool2d")
def _max_pool(
    call: Call,
    x: Term,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: object = False,
    return_indices: object = False,
) -> str:
    require(not return_indices and not ceil_mode, "max pooling with indices or rounded up")
    axes = x.rank - 2
    kernel = per_axis(kernel_size, axes)
    strides = per_axis(stride, axes) if stride else kernel
    pads, spread = per_axis(padding, axes) * 2, per_axis(dilation, axes)
    return call.add("MaxPool", call.name(x), kernel_shape=kernel, strides=strides, pads=pads, dilations=spread)


@operation("avg_pool1d", "avg_pool2d")
def _avg_pool(
    call: Call,
    x: Term,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: object = False,
    count_include_pad: object = True,
    divisor_override: object = None,
) -> str:
    require(not ceil_mode and not divisor_override, "average pooling rounded up or with its own divisor")
    axes = x.rank - 2
    kernel = per_axis(kernel_size, axes)
    strides = per_axis(stride, axes) if stride else kernel
    pads = per_axis(padding, axes) * 2
    return call.add(
        "AveragePool",
        call.name(x),
        kernel_shape=kernel,
        strides=strides,
        pads=pads,
        count_include_pad=int(bool(count_include_pad)),
    )


@operation("adaptive_avg_pool1d", "adaptive_avg_pool2d")
def _adaptive_avg_pool(call: Call, x: Term, output_size: Any) -> str:
    del output_size
    require(all(size == 1 for size in call.shape[2:]), "adaptive pooling to more than one position")
    return call.add("GlobalAveragePool", call.name(x))


@operation("adaptive_max_pool1d", "adaptive_max_pool2d")
def _adaptive_max_pool(call: Call, x: Term, output_size: Any, return_indices: object = False) -> str:
    del output_size
    require(not return_indices and all(size == 1 for size in call.shape[2:]), "adaptive pooling to more than one position")
    return call.add("GlobalMaxPool", call.name(x))


# Reductions


@operation("mean")
def _mean(call: Call, x: Term, dim: Any = None, keepdim: object = False, **options: Any) -> str:
    require(not any(options.values()), f"mean with {', '.join(options)}")
    if x.rank >= 3 and sorted(x.axes(dim)) == list(range(2, x.rank)):
        # Equivalent, and the only form that stays in the runtimes' blocked layouts.
        pooled = call.add("GlobalAveragePool", call.name(x))
        return pooled if keepdim else call.reshape(pooled)
    return call.add("ReduceMean", call.name(x), call.integers(x.axes(dim)), keepdims=int(bool(keepdim)))


@operation("sum")
def _sum(call: Call, x: Term, dim: Any = None, keepdim: object = False, **options: Any) -> str:
    require(not any(options.values()), f"sum with {', '.join(options)}")
    return call.add("ReduceSum", call.name(x, call.example.dtype), call.integers(x.axes(dim)), keepdims=int(bool(keepdim)))


@operation("amax")
def _amax(call: Call, x: Term, dim: Any = (), keepdim: object = False) -> str:
    return call.add("ReduceMax", call.name(x), call.integers(x.axes(dim or None)), keepdims=int(bool(keepdim)))


def _softmax(op: str) -> Operation:
    def entry(call: Call, x: Term, dim: int = -1, _stacklevel: int = 3, dtype: object = None) -> str:
        same = dtype is None and call.example.dtype == x.example.dtype
        require(dim is not None and same, f"{op} with a type, or without a dimension")
        return call.add(op, call.name(x), axis=x.axis(dim))

    return entry


OPERATIONS.update(softmax=_softmax("Softmax"), log_softmax=_softmax("LogSoftmax"))


@operation("normalize")
def _normalize(call: Call, x: Term, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> str:
    require(p == 2.0 and math.isfinite(eps), "normalize with another norm")
    length = call.add("ReduceL2", call.name(x), call.integers([x.axis(dim)]), keepdims=1)
    return call.add("Div", call.name(x), call.add("Clip", length, call.name(torch.tensor(eps, dtype=x.example.dtype))))
