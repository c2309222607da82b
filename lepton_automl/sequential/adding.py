"""The layers that the `add_...` methods make, with every argument checked."""

from __future__ import annotations

from typing import Any

from lepton_automl.errors import Complaints, one_of
from lepton_automl.layers import ACTIVATIONS, PADDINGS, POOLS, Layer

SAME_WORDS = {"swish": "silu", "linear": "", "hardswish": "hard_swish", "hard_silu": "hard_swish"}
LAST = ("softmax", "sigmoid")  # what the last layer may end with
LARGEST = 1 << 16  # filters or units of a layer


def conv2d(name: str, *, kernel_size: Any, filters: Any, activation: Any, padding: Any, strides: Any) -> Layer:
    """A convolution."""
    complaints = Complaints(name)
    size, step = _pair("kernel_size", kernel_size, complaints), _pair("strides", strides, complaints)
    width = _count("filters", filters, complaints)
    _check_word("padding", padding, PADDINGS, complaints)
    if padding == "same" and any(side % 2 == 0 for side in size):
        complaints.add(f"padding='same' with an even kernel_size {kernel_size!r}.", "Choose an odd one, or padding='valid'.")
    then = _activation(activation, ACTIVATIONS, complaints)
    complaints.raise_any()
    return Layer(kind="conv2d", width=width, size=size, stride=step, padding=padding, activation=then)


def pool2d(name: str, pool_size: Any, strides: Any, pool: Any) -> Layer:
    """A pooling; its step is its window by default."""
    complaints = Complaints(name)
    size = _pair("pool_size", pool_size, complaints)
    step = size if strides is None else _pair("strides", strides, complaints)
    _check_word("pool", pool, POOLS, complaints)
    complaints.raise_any()
    return Layer(kind="pool2d", size=size, stride=step, pool=pool)


def global_pool2d(name: str, pool: Any) -> Layer:
    """A pooling of each whole map."""
    complaints = Complaints(name)
    _check_word("pool", pool, POOLS, complaints)
    complaints.raise_any()
    return Layer(kind="global_pool2d", pool=pool)


def dense(name: str, units: Any, activation: Any) -> Layer:
    """A dense layer; whether it may end with `softmax` is known once the network is complete."""
    complaints = Complaints(name)
    width, then = _count("units", units, complaints), _activation(activation, (*ACTIVATIONS, "softmax"), complaints)
    complaints.raise_any()
    return Layer(kind="dense", width=width, activation=then)


def dropout(name: str, rate: Any) -> Layer:
    """A dropout."""
    complaints = Complaints(name)
    valid = isinstance(rate, int | float) and not isinstance(rate, bool) and 0 <= rate < 1
    complaints.check(valid, f"rate is {rate!r}.", "Give the share of the features that is dropped, from 0 to below 1.")
    complaints.raise_any()
    return Layer(kind="dropout", rate=float(rate))


def activation_layer(name: str, activation: Any) -> Layer:
    """An activation as a layer of its own."""
    complaints = Complaints(name)
    then = _activation(activation, ACTIVATIONS, complaints)
    complaints.check(then or complaints.found, f"activation is {activation!r}.", one_of(str(activation), ACTIVATIONS))
    complaints.raise_any()
    return Layer(kind="activation", activation=then)


def _activation(word: Any, known: tuple[str, ...], complaints: Complaints) -> str:
    then = "" if word is None else SAME_WORDS.get(word, word) if isinstance(word, str) else word
    if then and then not in known:
        complaints.add(f"there is no activation {word!r} here.", one_of(str(word), known))
    return str(then)


def _check_word(argument: str, word: Any, known: tuple[str, ...], complaints: Complaints) -> None:
    if word not in known:
        complaints.add(f"{argument} is {word!r}.", one_of(str(word), known))


def _count(argument: str, number: Any, complaints: Complaints) -> int:
    if _is_count(number):
        return int(number)
    complaints.add(f"{argument} is {number!r}.", f"Give a number from 1 to {LARGEST:,}.")
    return 1


def _pair(argument: str, size: Any, complaints: Complaints) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(sides) == 2 and all(map(_is_count, sides)):
        return int(sides[0]), int(sides[1])
    complaints.add(f"{argument} is {size!r}.", "Give one number, or (height, width).")
    return 1, 1


def _is_count(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= LARGEST
