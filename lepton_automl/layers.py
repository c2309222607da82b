"""Networks as a list of layers: the layers as values, their text, and the recipe of a network that is made of them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from ._json import Value
from .errors import ConfigError, one_of
from .recipe import Box, Recipe, Widths

Kind = Literal["conv2d", "pool2d", "global_pool2d", "dense", "dropout", "batch_norm", "activation", "flatten"]
Shape = tuple[int, ...]  # of the features of one example: (channels, height, width), or (features,)

KINDS: tuple[str, ...] = ("conv2d", "pool2d", "global_pool2d", "dense", "dropout", "batch_norm", "activation", "flatten")
ACTIVATIONS = ("relu", "gelu", "silu", "tanh", "sigmoid", "elu", "leaky_relu", "hard_swish")
POOLS = ("max", "average")
PADDINGS = ("valid", "same")
MAP_AXES = 3  # of a feature map: channels, height, width


@dataclass(frozen=True, kw_only=True)
class Layer(Value):
    """One layer.

    Args:
        kind: What it does.
        width: Filters of a convolution, units of a dense layer; 0 for others.
        size: Height and width of a kernel or of a pooling window; (0, 0) for others.
        stride: Vertical and horizontal step of a kernel or window.
        padding: `"valid"` for none, `"same"` for zeros all around, so that a step of 1 keeps the size of the map.
        activation: What follows a convolution or a dense layer, or the whole of an activation layer; empty for nothing.
        pool: `"max"` or `"average"`; empty if it is no pooling.
        rate: The share of the features that dropout sets to zero.
    """

    kind: Kind
    width: int = 0
    size: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (1, 1)
    padding: Literal["valid", "same"] = "valid"
    activation: str = ""
    pool: str = ""
    rate: float = 0.0

    def describe(self) -> str:
        """A few words."""
        then = f", {self.activation}" if self.activation and self.kind != "activation" else ""
        height, width = self.size
        if self.kind == "conv2d":
            step = "" if self.stride == (1, 1) else f", step {self.stride[0]} x {self.stride[1]}"
            return f"convolution {height} x {width}, {self.width} filters{step}{then}"
        return {
            "pool2d": f"{self.pool} pooling {height} x {width}",
            "global_pool2d": f"{self.pool} over the map",
            "dense": f"dense, {self.width} units{then}",
            "dropout": f"dropout {self.rate:g}",
            "batch_norm": "batch normalisation",
            "activation": self.activation,
            "flatten": "flatten",
        }[self.kind]

    def output(self, shape: Shape, name: str) -> Shape:
        """The shape of its output.

        Args:
            shape: The shape of its input.
            name: The layer's name, for errors.

        Raises:
            ConfigError: It cannot take such an input.
        """
        if self.kind in {"conv2d", "pool2d", "global_pool2d"} and len(shape) != MAP_AXES:
            what = f"it needs feature maps, and its input is {shape[0]} features of each example"
            raise ConfigError(
                what, where=name, fix="Add it before the first dense or flatten layer, and give x of [N, H, W, C]."
            )
        if self.kind == "dense":
            return (self.width,)
        if self.kind == "flatten":
            return (math.prod(shape),)
        if self.kind == "global_pool2d":
            return (shape[0],)
        if self.kind not in {"conv2d", "pool2d"}:
            return shape
        sides = [self._side(side, axis) for axis, side in enumerate(shape[1:])]
        if min(sides) < 1:
            word = "kernel" if self.kind == "conv2d" else "window"
            what = f"its {word} of {self.size[0]} x {self.size[1]} does not fit into maps of {shape[1]} x {shape[2]}"
            order = "; the order is add_conv2d(kernel, filters)" if self.kind == "conv2d" else ""
            fix = f"Make it smaller, or leave out a layer before it. Images are [N, height, width, channels]{order}."
            raise ConfigError(what, where=name, fix=fix)
        return (self.width or shape[0], *sides)

    def _side(self, side: int, axis: int) -> int:
        padded = side + 2 * (self.size[axis] // 2) * (self.padding == "same")
        return (padded - self.size[axis]) // self.stride[axis] + 1

    def macs(self, inputs: Shape, outputs: Shape) -> int:
        """Multiply-accumulates for one example."""
        if self.kind == "conv2d":
            return math.prod(outputs) * inputs[0] * math.prod(self.size)
        return math.prod(inputs) * self.width if self.kind == "dense" else 0


def layer_names(layers: Sequence[Layer]) -> tuple[str, ...]:
    """A name for each layer: its kind and its number among those of this kind, such as `conv2d_1`."""
    seen: Counter[str] = Counter()
    names = []
    for layer in layers:
        seen[layer.kind] += 1
        names.append(f"{layer.kind}_{seen[layer.kind]}")
    return tuple(names)


def with_flatten(layers: Sequence[Layer], shape: Shape) -> tuple[Layer, ...]:
    """The layers with the flattening that a dense layer after feature maps implies, also one that follows the last layer.

    Args:
        layers: All layers before the output layer.
        shape: The shape of one example.

    Raises:
        ConfigError: A layer does not fit its input.
    """
    names, complete = layer_names(layers), []
    for layer, name in zip(layers, names, strict=True):
        if layer.kind == "dense" and len(shape) == MAP_AXES:
            complete.append(Layer(kind="flatten"))
            shape = (math.prod(shape),)
        complete.append(layer)
        shape = layer.output(shape, name)
    return (*complete, Layer(kind="flatten")) if len(shape) == MAP_AXES else tuple(complete)


@dataclass(frozen=True, kw_only=True)
class SequentialRecipe(Recipe):
    """A network of layers, one after the other, with a dense layer at its end.

    Args:
        shape: (channels, height, width) of an example, or (features,).
        layers: All layers but the last, which has a unit for each output; see `with_flatten`.
        mean: Mean of each channel or feature over the training rows: the network standardises its inputs.
        std: Standard deviation of each; 1 where all are equal.
    """

    family: str = "sequential"
    shape: tuple[int, ...]
    layers: tuple[Layer, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the layers."""
        return layer_names(self.layers)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape of the input, and of the output of each layer.

        Raises:
            ConfigError: A layer does not fit its input.
        """
        shapes: list[Shape] = [self.shape]
        for layer, name in zip(self.layers, self.names, strict=True):
            shapes.append(layer.output(shapes[-1], name))
        return tuple(shapes)

    def describe(self) -> str:
        """The layers that have weights."""
        told = [
            f"conv {layer.size[0]}x{layer.size[1]} of {layer.width}" if layer.kind == "conv2d" else f"dense {layer.width}"
            for layer in self.layers
            if layer.width
        ]
        return f"layers: {', '.join([*told, f'dense {self.outputs}'])}"

    def diagram(self) -> tuple[Box, ...]:
        """The input, every layer, the outputs."""
        shapes = self.shapes
        words = (
            f"{shapes[0][0]} features" if len(self.shape) == 1 else f"{shapes[0][1]} x {shapes[0][2]}, {shapes[0][0]} channels"
        )
        boxes: list[Box] = [("input", shapes[0][0], words, -1)]
        for number, (layer, name) in enumerate(zip(self.layers, self.names, strict=True)):
            boxes.append((name, shapes[number + 1][0], layer.describe(), number))
        return (*boxes, ("outputs", self.outputs, "one dense layer", -1))

    @property
    def macs(self) -> int:
        """Of convolutions and dense layers."""
        shapes = self.shapes
        inner = sum(layer.macs(shapes[n], shapes[n + 1]) for n, layer in enumerate(self.layers))
        return inner + math.prod(shapes[-1]) * self.outputs

    @property
    def widths(self) -> Widths:
        """Filters and units by the layer's name."""
        return {name: layer.width for name, layer in zip(self.names, self.layers, strict=True) if layer.width}

    def with_widths(self, widths: Widths) -> SequentialRecipe:
        """The same network with some widths replaced."""
        layers = tuple(
            layer.replace(width=widths.get(name, layer.width)) if layer.width else layer
            for name, layer in zip(self.names, self.layers, strict=True)
        )
        return self.replace(layers=layers)

    @property
    def depths(self) -> tuple[int, ...]:
        """Empty: no layer is removed."""
        return ()

    def keep_blocks(self, blocks_kept: tuple[tuple[int, ...], ...]) -> SequentialRecipe:
        """The same network: no layer is removed."""
        del blocks_kept
        return self


_LAYER = re.compile(r"(\w+)\(([^()]*)\)")
_USUAL: dict[str, Any] = {field.name: field.default for field in fields(Layer) if field.name != "kind"}


def layers_to_text(layers: Sequence[Layer]) -> str:
    """The layers as one text, such as `conv2d(width=32 size=3x3 activation=relu) pool2d(size=2x2 stride=2x2 pool=max)`."""

    def told(setting: Any) -> str:
        return "x".join(map(str, setting)) if isinstance(setting, tuple) else str(setting)

    texts = []
    for layer in layers:
        changed = {name: getattr(layer, name) for name, usual in _USUAL.items() if getattr(layer, name) != usual}
        texts.append(f"{layer.kind}({' '.join(f'{name}={told(setting)}' for name, setting in changed.items())})")
    return " ".join(texts)


def layers_from_text(text: str) -> tuple[Layer, ...]:
    """The layers of a text that `layers_to_text` wrote.

    Raises:
        ConfigError: The text describes no layers.
    """
    layers = []
    for kind, settings in _LAYER.findall(text):
        if kind not in KINDS:
            raise ConfigError(f"there is no layer {kind!r}", where="model.layers", fix=one_of(kind, KINDS))
        try:
            values = dict(_read(part) for part in settings.split())
        except (KeyError, ValueError) as error:
            raise ConfigError(f"{kind}({settings}) cannot be read", where="model.layers", fix="Write name=value.") from error
        layers.append(Layer(kind=kind, **values))
    if _LAYER.sub("", text).strip():
        what = f"{text!r} is not a list of layers"
        raise ConfigError(what, where="model.layers", fix="Write layers as in `conv2d(width=32 size=3x3 activation=relu)`.")
    return tuple(layers)


def _read(part: str) -> tuple[str, Any]:
    name, _, value = part.partition("=")
    usual = _USUAL[name]
    if isinstance(usual, tuple):
        height, width = map(int, value.split("x"))
        return name, (height, width)
    return name, type(usual)(value)
