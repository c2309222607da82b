"""Elementwise operations as ONNX operators."""

# ruff: noqa: PLR0917, FBT002  # the signatures are torch's own, so that its calls fit them

from __future__ import annotations

from typing import Any

import torch

from .terms import OPERATIONS, Call, Operation, Term, operation, require

_UNARY = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "sin": "Sin", "cos": "Cos", "exp": "Exp", "log": "Log", "sqrt": "Sqrt",
    "abs": "Abs", "neg": "Neg", "erf": "Erf", "floor": "Floor", "ceil": "Ceil", "sign": "Sign", "reciprocal": "Reciprocal",
    "hardswish": "HardSwish", "mish": "Mish", "softsign": "Softsign", "logical_not": "Not", "round": "Round",
}  # fmt: skip
_BINARY = {
    "add": "Add", "iadd": "Add", "sub": "Sub", "isub": "Sub", "mul": "Mul", "imul": "Mul", "multiply": "Mul", "div": "Div",
    "truediv": "Div", "itruediv": "Div", "pow": "Pow", "maximum": "Max", "minimum": "Min",
}  # fmt: skip
_COMPARE = {"lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual", "eq": "Equal"}


def _unary(op: str) -> Operation:
    def entry(call: Call, x: Term, inplace: object = None, **options: Any) -> str:
        del inplace
        require(not any(options.values()), f"{op} with {', '.join(options)}")
        return call.add(op, call.name(x))

    return entry


def _binary(op: str) -> Operation:
    def entry(call: Call, x: Any, other: Any, **options: Any) -> str:
        require(not options, f"{op} with {', '.join(options)}")
        dtype = call.example.dtype
        return call.add(op, call.name(x, dtype), call.name(other, dtype))

    return entry


def _compare(op: str) -> Operation:
    def entry(call: Call, x: Any, other: Any) -> str:
        dtype = torch.result_type(*(operand.example if isinstance(operand, Term) else operand for operand in (x, other)))
        return call.add(op, call.name(x, dtype), call.name(other, dtype))

    return entry


OPERATIONS.update({name: _unary(op) for name, op in _UNARY.items()})
OPERATIONS.update({name: _binary(op) for name, op in _BINARY.items()})
OPERATIONS.update({name: _compare(op) for name, op in _COMPARE.items()})


@operation("identity", "contiguous", "clone", "detach")
def _same(call: Call, x: Term, *options: object, **named: object) -> Term:
    del call, options, named  # these change the memory layout, not the values
    return x


@operation("dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout", "alpha_dropout")
def _dropout(
    call: Call, x: Term, p: float = 0.5, training: object = True, inplace: object = False, train: object = None
) -> Term:
    """Functional dropout acts unless `training` is false, whatever mode the module is in."""
    del call, inplace
    acts = training if train is None else train
    require(not acts or not p, "dropout that acts outside of training")
    return x


@operation("clamp", "clip")
def _clamp(call: Call, x: Term, min: Any = None, max: Any = None) -> str:  # noqa: A002  # torch's names
    dtype = call.example.dtype
    bounds = ["" if bound is None else call.name(bound, dtype) for bound in (min, max)]
    require(all(bound is None or isinstance(bound, int | float) for bound in (min, max)), "clamp between tensors")
    return call.add("Clip", call.name(x, dtype), *bounds)


@operation("relu6")
def _relu6(call: Call, x: Term, inplace: object = None) -> str:
    del inplace
    return str(_clamp(call, x, 0.0, 6.0))


@operation("hardtanh")
def _hardtanh(call: Call, x: Term, min_val: float = -1.0, max_val: float = 1.0, inplace: object = None) -> str:
    del inplace
    return str(_clamp(call, x, min_val, max_val))


@operation("hardsigmoid")
def _hardsigmoid(call: Call, x: Term, inplace: object = None) -> str:
    del inplace
    return call.add("HardSigmoid", call.name(x), alpha=1 / 6, beta=0.5)


@operation("silu")
def _silu(call: Call, x: Term, inplace: object = None) -> str:
    del inplace
    return call.add("Mul", call.name(x), call.add("Sigmoid", call.name(x)))


@operation("gelu")
def _gelu(call: Call, x: Term, approximate: str = "none") -> str:
    return call.add("Gelu", call.name(x), approximate=approximate)


@operation("leaky_relu")
def _leaky_relu(call: Call, x: Term, negative_slope: float = 0.01, inplace: object = None) -> str:
    del inplace
    return call.add("LeakyRelu", call.name(x), alpha=negative_slope)


@operation("elu")
def _elu(call: Call, x: Term, alpha: float = 1.0, inplace: object = None) -> str:
    del inplace
    return call.add("Elu", call.name(x), alpha=alpha)


@operation("square")
def _square(call: Call, x: Term) -> str:
    return call.add("Mul", call.name(x), call.name(x))


@operation("rsqrt")
def _rsqrt(call: Call, x: Term) -> str:
    return call.add("Reciprocal", call.add("Sqrt", call.name(x)))


@operation("rsub")
def _rsub(call: Call, x: Any, other: Any) -> Any:
    return OPERATIONS["sub"](call, other, x)


@operation("where")
def _where(call: Call, condition: Term, x: Any, other: Any) -> str:
    dtype = call.example.dtype
    return call.add("Where", call.name(condition), call.name(x, dtype), call.name(other, dtype))


@operation("to", "float", "double", "half", "long", "int", "bool", "type", "type_as")
def _to(call: Call, x: Term, *options: object, **named: object) -> Term | str:
    del options, named  # the example of the result has the requested type
    return x if call.example.dtype == x.example.dtype else call.cast(call.name(x), call.example.dtype)
