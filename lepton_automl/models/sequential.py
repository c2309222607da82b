"""The network of a list of layers."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

from lepton_automl.layers import MAP_AXES, Layer, SequentialRecipe

from .build import RecipeNet, channels_last_is_safe
from .layers import Channels, Dropout, WidthMap

ACTIVATION_MODULES: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "leaky_relu": nn.LeakyReLU,
    "hard_swish": nn.Hardswish,
}
RISING = ("relu", "tanh", "sigmoid", "elu", "leaky_relu")  # a larger input never gives a smaller output


class Standardise(nn.Module):
    """Standardises each channel or feature, in any number type; the constants are not in the state dict.

    Args:
        recipe: Holds mean and standard deviation of each; without them, inputs are only converted to float32.
    """

    def __init__(self, recipe: SequentialRecipe) -> None:
        super().__init__()
        mean = torch.tensor(recipe.mean or (0.0,) * recipe.shape[0])
        std = torch.tensor(recipe.std or (1.0,) * recipe.shape[0])
        axes = (1, -1, *(1,) * (len(recipe.shape) - 1))
        self.register_buffer("mean", mean.reshape(axes), persistent=False)
        self.register_buffer("scale", 1 / std.reshape(axes), persistent=False)
        self.mean: Tensor
        self.scale: Tensor

    def forward(self, rows: Tensor) -> Tensor:
        """[N, C, H, W] or [N, F] to the same shape, float32."""
        return (rows.float() - self.mean) * self.scale


class SequentialNet(RecipeNet):
    """Layers, one after the other, and a dense layer: `forward(name=rows)` gives [N, outputs].

    Its one input has any name: rows are [N, C, H, W] or [N, F].

    Args:
        recipe: The layers.
    """

    def __init__(self, recipe: SequentialRecipe) -> None:
        super().__init__()
        self.recipe: SequentialRecipe = recipe
        self.standardise = Standardise(recipe)
        shapes = recipe.shapes
        self.layers = nn.Sequential(_modules(recipe))
        self.head = nn.Linear(math.prod(shapes[-1]), recipe.outputs)
        # Small, so that the first outputs are nearly equal and the first loss is not large.
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        self.finish = nn.Identity()

    def forward(self, **inputs: Tensor) -> Tensor:
        """Rows [N, C, H, W] or [N, F] to logits or values [N, outputs]."""
        (rows,) = inputs.values()
        outputs: Tensor = self.finish(self.head(self.layers(self.standardise(rows))))
        return outputs

    @property
    def width_map(self) -> WidthMap:
        """Each layer's channels as widths of the recipe."""
        channels, path = {}, ""
        for layer, name in zip(self.recipe.layers, self.recipe.names, strict=True):
            if layer.width:
                channels[name], path = Channels(path, name), name
            elif layer.kind == "batch_norm":
                channels[name] = Channels(path, path)
        return {f"layers.{name}": pair for name, pair in channels.items()} | {"head": Channels(path, "")}

    @property
    def stage_modules(self) -> tuple[str, ...]:
        """Empty: no layer is removed."""
        return ()


class RowsNet(nn.Module):
    """A sequential network that is called with rows as people have them, channels last.

    Args:
        network: The network.
        two_classes: Whether its one output is the logit of the second of two classes.
        mean: Added to the outputs after scaling.
        scale: Factor of the outputs.
    """

    def __init__(self, network: SequentialNet, *, two_classes: bool = False, mean: float = 0.0, scale: float = 1.0) -> None:
        super().__init__()
        self.network, self.two_classes, self.mean, self.scale = network, two_classes, mean, scale

    def forward(self, rows: Tensor) -> Tensor:
        """[N, H, W, C] or [N, F] to logits [N, K], or values [N, 1]."""
        rows = rows.permute(0, 3, 1, 2) if len(self.network.recipe.shape) == MAP_AXES else rows
        outputs: Tensor = self.network(rows=rows)
        if self.two_classes:
            return torch.cat([torch.zeros_like(outputs), outputs], 1)
        return outputs * self.scale + self.mean if self.scale != 1 or self.mean else outputs


def build_sequential(recipe: SequentialRecipe) -> SequentialNet:
    """The network, with channels last where that is faster and safe."""
    network = SequentialNet(recipe)
    if channels_last_is_safe():
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this overload
    return network


def _modules(recipe: SequentialRecipe) -> OrderedDict[str, nn.Module]:
    """The modules of all layers by name.

    The maximum of activations is the activation of the maximum if it never falls, so an activation before such a pooling is computed
    after it, on fewer numbers: a step of a small network then takes less than half the time.
    """
    modules, waiting = OrderedDict[str, nn.Module](), OrderedDict[str, nn.Module]()
    for layer, name, shape in zip(recipe.layers, recipe.names, recipe.shapes, strict=False):
        if layer.pool != "max":
            modules |= waiting
            waiting.clear()
        if layer.kind == "activation" and layer.activation in RISING:
            waiting[name] = _module(layer, shape)
            continue
        modules[name] = _module(layer, shape)
        if layer.activation and layer.width:
            then = waiting if layer.activation in RISING else modules
            then[f"{name}_{layer.activation}"] = ACTIVATION_MODULES[layer.activation]()
    return modules | waiting


def _module(layer: Layer, shape: tuple[int, ...]) -> nn.Module:
    """The module of one layer, for an input of some shape, without an activation that follows it."""
    if layer.kind == "conv2d":
        padding = (layer.size[0] // 2, layer.size[1] // 2) if layer.padding == "same" else (0, 0)
        return _initialised(nn.Conv2d(shape[0], layer.width, layer.size, layer.stride, padding))
    if layer.kind == "dense":
        return _initialised(nn.Linear(shape[0], layer.width))
    if layer.kind == "pool2d":
        return (nn.MaxPool2d if layer.pool == "max" else nn.AvgPool2d)(layer.size, layer.stride)
    if layer.kind == "global_pool2d":
        pool = nn.AdaptiveMaxPool2d(1) if layer.pool == "max" else nn.AdaptiveAvgPool2d(1)
        return nn.Sequential(pool, nn.Flatten())
    if layer.kind == "dropout":
        return Dropout(layer.rate)
    if layer.kind == "batch_norm":
        return nn.BatchNorm2d(shape[0]) if len(shape) == MAP_AXES else nn.BatchNorm1d(shape[0])
    return ACTIVATION_MODULES[layer.activation]() if layer.kind == "activation" else nn.Flatten()


def _initialised(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    """The layer with weights after He et al., Delving Deep into Rectifiers, 2015."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
