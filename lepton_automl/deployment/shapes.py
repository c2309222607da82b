"""Operations that reshape, slice, join and index, as ONNX operators."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from .terms import Call, Term, UnsupportedOperation, operation, require


@operation("reshape", "view", "flatten", "unflatten", "squeeze", "unsqueeze")
def _reshape(call: Call, x: Term, *options: object, **named: object) -> Term | str:
    del options, named  # the result's shape is sufficient
    return x if call.shape == x.shape else call.reshape(call.name(x))


@operation("permute")
def _permute(call: Call, x: Term, *dims: Any) -> str:
    order = dims[0] if isinstance(dims[0], list | tuple) else dims
    return call.add("Transpose", call.name(x), perm=x.axes(order))


@operation("transpose", "swapaxes")
def _transpose(call: Call, x: Term, dim0: int, dim1: int) -> str:
    order = list(range(x.rank))
    first, second = x.axis(dim0), x.axis(dim1)
    order[first], order[second] = second, first
    return call.add("Transpose", call.name(x), perm=order)


@operation("t")
def _t(call: Call, x: Term) -> str:
    return call.add("Transpose", call.name(x), perm=list(range(x.rank))[::-1])


@operation("cat", "concat")
def _cat(call: Call, tensors: Sequence[Term], dim: int = 0) -> Term | str:
    if len(tensors) == 1 and tensors[0].example.dtype == call.example.dtype:
        return tensors[0]
    names = [call.name(tensor, call.example.dtype) for tensor in tensors]
    return call.add("Concat", *names, axis=dim % len(call.shape))


@operation("stack")
def _stack(call: Call, tensors: Sequence[Term], dim: int = 0) -> str:
    axis = dim % len(call.shape)
    names = [call.name(tensor, call.example.dtype) for tensor in tensors]
    if axis < tensors[0].rank and call.shape.count(None) <= 1:  # concatenated, then reshaped: one node for all
        return call.reshape(call.add("Concat", *names, axis=axis))
    return call.add("Concat", *(call.add("Unsqueeze", name, call.integers([axis])) for name in names), axis=axis)


@operation("split", "chunk")
def _split(call: Call, x: Term, sizes: object, dim: int = 0) -> list[str]:
    del sizes  # the parts' shapes are sufficient
    parts = [part.shape[dim] for part in call.example]
    require(x.shape[dim] is not None, "a split of the batch")
    name = call.add("Split", call.name(x), call.integers(parts), outputs=len(parts), axis=x.axis(dim))
    return [name, *(f"{name}.{n}" for n in range(1, len(parts)))]


@operation("unbind")
def _unbind(call: Call, x: Term, dim: int = 0) -> list[str]:
    require(x.shape[dim] is not None, "a split of the batch")
    indices = (call.graph.weight(np.asarray(n)) for n in range(len(call.example)))
    return [call.add("Gather", call.name(x), index, axis=x.axis(dim)) for index in indices]


@operation("expand", "expand_as", "broadcast_to")
def _expand(call: Call, x: Term, *sizes: object) -> str:
    del sizes
    own = (1,) * (len(call.shape) - x.rank) + x.shape
    require(
        all(new is not None or old is None for new, old in zip(call.shape, own, strict=True)), "a row repeated for every row"
    )
    return call.add("Expand", call.name(x), call.integers([1 if size is None else size for size in call.shape]))


@operation("pad")
def _pad(call: Call, x: Term, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> str:
    modes = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    require(mode in modes, f"padding by {mode}")
    before, after = [0] * x.rank, [0] * x.rank
    for n in range(len(pad) // 2):  # torch pads from the last axis
        before[-1 - n], after[-1 - n] = pad[2 * n], pad[2 * n + 1]
    filler = [call.name(value or 0, x.example.dtype)] if mode == "constant" else []
    return call.add("Pad", call.name(x), call.integers(before + after), *filler, mode=modes[mode])


@operation("getitem")
def _getitem(call: Call, x: Any, index: Any) -> Any:
    if not isinstance(x, Term):
        return x[index]
    items = _without_ellipsis(index if isinstance(index, tuple) else (index,), x.rank)
    tensors = [item for item in items if isinstance(item, Term | Tensor | list)]
    if tensors:
        return _gather(call, x, items)
    picks = [(axis, item) for axis, item in enumerate(items) if item != slice(None)]
    if len(picks) == 1 and isinstance(picks[0][1], int):
        axis, item = picks[0]
        return call.add("Gather", call.name(x), call.graph.weight(np.asarray(item)), axis=axis)
    cut = _slice(call, x, [item for item in items if item is not None])
    return call.reshape(cut) if any(item is None or isinstance(item, int) for item in items) else cut


@operation("index_select")
def _index_select(call: Call, x: Term, dim: int, index: Term) -> str:
    return call.add("Gather", call.name(x), call.name(index), axis=x.axis(dim))


def _without_ellipsis(items: tuple[Any, ...], rank: int) -> list[Any]:
    """The items with `...` written out, one for each axis and None for each new one."""
    used = sum(item is not None and item is not Ellipsis for item in items)
    rest = [slice(None)] * (rank - used)
    if not any(item is Ellipsis for item in items):
        return [*items, *rest]
    place = next(n for n, item in enumerate(items) if item is Ellipsis)
    return [*items[:place], *rest, *items[place + 1 :]]


def _slice(call: Call, x: Term, items: list[Any]) -> str:
    """Cut along every axis at once; a single index keeps its axis, of length one."""
    cuts: list[tuple[int, int, int, int]] = []
    for axis, item in enumerate(items):
        if item == slice(None):
            continue
        require(isinstance(item, int | slice), f"an index of type {type(item).__name__}")
        # The end of a single index -1 is the end of the axis, which Slice writes as a very large number.
        part = slice(item, item + 1 or sys.maxsize) if isinstance(item, int) else item
        start, end, step = part.start or 0, sys.maxsize if part.stop is None else part.stop, part.step or 1
        require(
            all(isinstance(value, int) for value in (start, end, step)) and step > 0, "a slice that varies or runs backwards"
        )
        cuts.append((start, end, axis, step))
    name = call.name(x)
    return call.add("Slice", name, *map(call.integers, zip(*cuts, strict=True))) if cuts else name


def _gather(call: Call, x: Term, items: list[Any]) -> str:
    """Select along one axis with a list of indices."""
    picks = [(axis, item) for axis, item in enumerate(items) if not (isinstance(item, slice) and item == slice(None))]
    if len(picks) != 1 or any(item is None for item in items):
        raise UnsupportedOperation("an index of several lists")
    axis, indices = picks[0]
    require(not isinstance(indices, Term) or not indices.example.dtype.is_floating_point, "a mask as an index")
    return call.add(
        "Gather", call.name(x), call.integers(indices) if isinstance(indices, list) else call.name(indices), axis=axis
    )
