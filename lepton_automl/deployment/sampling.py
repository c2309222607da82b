"""Resizing, shifting and rearranging of maps, and minima and maxima, as ONNX operators."""

# ruff: noqa: PLR0917, FBT002  # the signatures are torch's own, so that its calls fit them

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from onnx import numpy_helper

from .layers import Sizes, per_axis
from .terms import OPERATIONS, Call, Operation, Term, numpy_type, operation, require


@operation("conv_transpose1d", "conv_transpose2d")
def _conv_transpose(
    call: Call,
    x: Term,
    weight: Term,
    bias: Term | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> str:
    axes = x.rank - 2
    return call.add(
        "ConvTranspose",
        *(call.name(operand) for operand in (x, weight, bias) if operand is not None),
        kernel_shape=list(weight.shape[2:]),
        strides=per_axis(stride, axes),
        pads=per_axis(padding, axes) * 2,
        output_padding=per_axis(output_padding, axes),
        dilations=per_axis(dilation, axes),
        group=groups,
    )


@operation("interpolate", "upsample")
def _interpolate(
    call: Call,
    x: Term,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: object = None,
    recompute_scale_factor: object = None,
    antialias: object = False,
) -> str:
    del size, recompute_scale_factor  # the result's shape is sufficient
    require(not antialias and mode in ("nearest", "linear", "bilinear"), f"resizing by {mode}")
    before, after = x.shape[2:], call.shape[2:]
    require(None not in (*before, *after), "maps whose size varies")
    if scale_factor is not None:  # torch uses the factor itself, ONNX the sizes
        factors = [float(scale_factor)] * len(before) if isinstance(scale_factor, int | float) else [*map(float, scale_factor)]
        require(
            all((a or 0) * f == b for a, f, b in zip(before, factors, after, strict=True)), "a factor with a fractional size"
        )
    nearest = mode == "nearest"
    coordinates = "asymmetric" if nearest else "align_corners" if align_corners else "half_pixel"
    return call.add(
        "Resize",
        call.name(x),
        "",
        "",
        call.integers([int(size or 0) for size in after]),
        axes=list(range(2, x.rank)),
        mode="nearest" if nearest else "linear",
        nearest_mode="floor" if nearest else None,
        coordinate_transformation_mode=coordinates,
    )


@operation("pixel_shuffle")
def _pixel_shuffle(call: Call, x: Term, upscale_factor: int) -> str:
    return call.add("DepthToSpace", call.name(x), blocksize=upscale_factor, mode="CRD")


@operation("pixel_unshuffle")
def _pixel_unshuffle(call: Call, x: Term, downscale_factor: int) -> str:
    require(x.rank == 4 and None not in x.shape[1:], "maps whose size varies")
    _, channels, height, width = (int(size or -1) for size in x.shape)
    r = downscale_factor
    blocks = call.add("Reshape", call.name(x), call.integers([-1, channels, height // r, r, width // r, r]))
    return call.reshape(call.add("Transpose", blocks, perm=[0, 1, 3, 5, 2, 4]))


@operation("movedim", "moveaxis")
def _movedim(call: Call, x: Term, source: Any, destination: Any) -> str:
    axis_lengths = np.empty(tuple(range(1, x.rank + 1)), np.int8)  # every axis is identified by its length
    return call.add("Transpose", call.name(x), perm=[size - 1 for size in np.moveaxis(axis_lengths, source, destination).shape])


@operation("roll")
def _roll(call: Call, x: Term, shifts: Any, dims: Any = None) -> str:
    require(dims is not None, "a roll over the flattened tensor")
    name = call.name(x)
    for shift, dim in zip(*([value] if isinstance(value, int) else list(value) for value in (shifts, dims)), strict=True):
        size, axis = x.shape[dim], x.axis(dim)
        require(size is not None, "a roll over rows")
        assert size is not None
        head = -shift % size
        if head:
            name = call.add("Split", name, call.integers([head, size - head]), outputs=2, axis=axis)
            name = call.add("Concat", f"{name}.1", name, axis=axis)
    return name


@operation("zeros_like", "ones_like")
def _like(call: Call, x: Term, **options: object) -> str:
    del options  # the example has the type
    filler = torch.unique(call.example)
    value = numpy_helper.from_array(filler.numpy().astype(numpy_type(call.example.dtype)))
    return call.add("ConstantOfShape", call.add("Shape", call.name(x)), value=value)


def _extreme(reduce: str, place: str, of_two: str) -> Operation:
    def entry(call: Call, x: Term, dim: Any = None, keepdim: object = False) -> str | list[str]:
        if isinstance(dim, Term):
            return call.add(of_two, call.name(x), call.name(dim))
        require(isinstance(dim, int), f"{reduce} over all elements")
        axis, keep = x.axis(dim), int(bool(keepdim))
        value = call.add(reduce, call.name(x), call.integers([axis]), keepdims=keep)
        return [value, call.add(place, call.name(x), axis=axis, keepdims=keep)]

    return entry


OPERATIONS.update(max=_extreme("ReduceMax", "ArgMax", "Max"), min=_extreme("ReduceMin", "ArgMin", "Min"))


@operation("amin")
def _amin(call: Call, x: Term, dim: Any = (), keepdim: object = False) -> str:
    return call.add("ReduceMin", call.name(x), call.integers(x.axes(dim or None)), keepdims=int(bool(keepdim)))


@operation("norm")
def _norm(call: Call, x: Term, p: Any = "fro", dim: Any = None, keepdim: object = False, **options: object) -> str:
    require(p in ("fro", 2, None) and dim is not None and not any(options.values()), "another norm")
    return call.add("ReduceL2", call.name(x), call.integers(x.axes(dim)), keepdims=int(bool(keepdim)))


@operation("rms_norm")
def _rms_norm(call: Call, x: Term, shape: Sequence[int], weight: Term | None = None, eps: float | None = None) -> str:
    dtype = x.example.dtype
    small = call.name(torch.tensor(torch.finfo(dtype).eps if eps is None else eps, dtype=dtype))
    axes = call.integers(list(range(x.rank - len(shape), x.rank)))
    squares = call.add("ReduceMean", call.add("Mul", call.name(x), call.name(x)), axes, keepdims=1)
    normed = call.add("Div", call.name(x), call.add("Sqrt", call.add("Add", squares, small)))
    return normed if weight is None else call.add("Mul", normed, call.name(weight))
