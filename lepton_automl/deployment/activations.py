"""Less common activations as ONNX operators."""

# ruff: noqa: PLR0917, FBT002  # the signatures are torch's own, so that its calls fit them

from __future__ import annotations

import torch

from .terms import Call, Term, operation, require


@operation("prelu")
def _prelu(call: Call, x: Term, weight: Term) -> str:
    require(weight.constant, "slopes that are computed from the input")
    wide = (-1, *[1] * max(0, x.rank - 2))
    return call.add("PRelu", call.name(x), call.name(weight.example.detach().reshape(wide)))


@operation("selu")
def _selu(call: Call, x: Term, inplace: object = None) -> str:
    del inplace
    return call.add("Selu", call.name(x))


@operation("celu")
def _celu(call: Call, x: Term, alpha: float = 1.0, inplace: object = None) -> str:
    del inplace
    return call.add("Celu", call.name(x), alpha=float(alpha))


@operation("softplus")
def _softplus(call: Call, x: Term, beta: float = 1.0, threshold: float = 20.0) -> str:
    require(beta == 1 and threshold >= 20, "softplus with a beta, or with a threshold below 20")
    return call.add("Softplus", call.name(x))


@operation("logsigmoid", "log_sigmoid")
def _log_sigmoid(call: Call, x: Term) -> str:
    return call.add("Neg", call.add("Softplus", call.add("Neg", call.name(x))))


@operation("softshrink")
def _softshrink(call: Call, x: Term, lambd: float = 0.5) -> str:
    return call.add("Shrink", call.name(x), bias=float(lambd), lambd=float(lambd))


@operation("hardshrink")
def _hardshrink(call: Call, x: Term, lambd: float = 0.5) -> str:
    return call.add("Shrink", call.name(x), bias=0.0, lambd=float(lambd))


@operation("tanhshrink")
def _tanhshrink(call: Call, x: Term) -> str:
    return call.add("Sub", call.name(x), call.add("Tanh", call.name(x)))


@operation("threshold", "_threshold")  # torch.nn.functional has it under its private name
def _threshold(call: Call, x: Term, threshold: float, value: float, inplace: object = None) -> str:
    del inplace
    above = call.add("Greater", call.name(x), call.name(torch.tensor(threshold, dtype=x.example.dtype)))
    return call.add("Where", above, call.name(x), call.name(torch.tensor(value, dtype=x.example.dtype)))


@operation("rrelu")
def _rrelu(
    call: Call, x: Term, lower: float = 1 / 8, upper: float = 1 / 3, training: object = False, inplace: object = None
) -> str:
    del inplace
    require(not training, "random slopes outside of training")
    return call.add("LeakyRelu", call.name(x), alpha=(lower + upper) / 2)


@operation("glu")
def _glu(call: Call, x: Term, dim: int = -1) -> str:
    size = x.shape[dim]
    require(size is not None, "glu over an axis that varies")
    assert size is not None
    first = call.add("Split", call.name(x), call.integers([size // 2] * 2), outputs=2, axis=x.axis(dim))
    return call.add("Mul", first, call.add("Sigmoid", f"{first}.1"))


@operation("addcmul")
def _addcmul(call: Call, x: Term, first: Term, second: Term, *, value: float = 1) -> str:
    require(value == 1, "a scaled product")
    return call.add("Add", call.name(x), call.add("Mul", call.name(first), call.name(second)))


@operation("lerp")
def _lerp(call: Call, x: Term, end: Term, weight: Term | float) -> str:
    share = call.name(weight, x.example.dtype)
    return call.add("Add", call.name(x), call.add("Mul", call.add("Sub", call.name(end), call.name(x)), share))
