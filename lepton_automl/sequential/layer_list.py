"""The methods that add layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lepton_automl.errors import Complaints, ConfigError
from lepton_automl.layers import MAP_AXES, Layer, Shape, with_flatten

from . import adding
from .keywords import known_keywords


class LayerList:
    """A list of layers; each is checked when it is added, and where the shape of the rows is known, also against those before it.

    Args:
        input_shape: The shape of one row, channels last; None if it is not known yet.

    Attributes:
        layers: The layers.
        shape: The shape of one row, channels last; None if it is not known yet.
    """

    def __init__(self, input_shape: tuple[int, ...] | None) -> None:
        complaints = Complaints("Model")
        shape = tuple(input_shape) if isinstance(input_shape, tuple | list) else input_shape
        valid = shape is None or (
            isinstance(shape, tuple)
            and 1 <= len(shape) <= MAP_AXES
            and all(isinstance(side, int) and side > 0 for side in shape)
        )
        complaints.check(valid, f"input_shape is {input_shape!r}.", "Give (height, width, channels) or (features,).")
        complaints.raise_any()
        self.layers: list[Layer] = []
        self.shape = None if shape is None else (*shape, 1) if len(shape) == MAP_AXES - 1 else shape

    @property
    def is_built(self) -> bool:
        """Whether it has weights: layers can no longer be added."""
        return False

    @known_keywords
    def add_conv2d(
        self, kernel_size: Any, filters: int, activation: str | None = None, padding: str = "valid", strides: Any = 1
    ) -> None:
        """Add a convolution.

        Args:
            kernel_size: Height and width of the kernels, as one number or (height, width).
            filters: Number of kernels, which is the number of channels that come out.
            activation: What follows it, such as `"relu"`; None for nothing.
            padding: `"valid"` for none, `"same"` to keep the size of the maps.
            strides: The step, as one number or (vertical, horizontal).

        Raises:
            ConfigError: Some arguments are wrong; all are listed.
        """
        settings = {"kernel_size": kernel_size, "filters": filters, "activation": activation, "padding": padding}
        self._add(lambda name: adding.conv2d(name, **settings, strides=strides), "conv2d")

    @known_keywords
    def add_pool2d(self, pool_size: Any = 2, strides: Any = None, pool: str = "max") -> None:
        """Add a pooling.

        Args:
            pool_size: Height and width of a window, as one number or (height, width).
            strides: The step; None for the size of the window.
            pool: `"max"` or `"average"`.
        """
        self._add(lambda name: adding.pool2d(name, pool_size, strides, pool), "pool2d")

    @known_keywords
    def add_global_pool2d(self, pool: str = "average") -> None:
        """Add a pooling of each whole map to one number: `"average"` or `"max"`."""
        self._add(lambda name: adding.global_pool2d(name, pool), "global_pool2d")

    @known_keywords
    def add_dense(self, units: int, activation: str | None = None) -> None:
        """Add a dense layer; maps are flattened before the first one. The last layer has a unit for each class, and `"softmax"`."""
        self._add(lambda name: adding.dense(name, units, activation), "dense")

    @known_keywords
    def add_dropout(self, rate: float) -> None:
        """Add a dropout, which sets this share of the features to zero while the network is trained."""
        self._add(lambda name: adding.dropout(name, rate), "dropout")

    @known_keywords
    def add_batch_norm(self) -> None:
        """Add a batch normalisation."""
        self._add(lambda _: Layer(kind="batch_norm"), "batch_norm")

    @known_keywords
    def add_activation(self, activation: str) -> None:
        """Add an activation as a layer of its own, such as after a batch normalisation."""
        self._add(lambda name: adding.activation_layer(name, activation), "activation")

    @known_keywords
    def add_flatten(self) -> None:
        """Add a flattening of maps; the first dense layer does it by itself."""
        self._add(lambda _: Layer(kind="flatten"), "flatten")

    def _add(self, make: Callable[[str], Layer], kind: str) -> None:
        name = f"{kind}_{1 + sum(layer.kind == kind for layer in self.layers)}"
        if self.is_built:
            raise ConfigError("the network has its weights already", where=name, fix="Make a new Model to change its layers.")
        layer = make(name)
        self.layers.append(layer)
        try:
            if self.shape is not None:
                with_flatten(self.layers, self.inner_shape)
        except ConfigError:
            self.layers.pop()
            raise

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one row, channels last; empty if it is not known yet."""
        return self.shape or ()

    @property
    def inner_shape(self) -> Shape:
        """(channels, height, width) or (features,)."""
        shape = self.shape or ()
        return (shape[2], shape[0], shape[1]) if len(shape) == MAP_AXES else shape
