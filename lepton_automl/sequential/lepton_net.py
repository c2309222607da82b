"""`LeptonNet`: a convolutional network that is complete when it is made."""

from __future__ import annotations

from typing import Any

from lepton_automl.errors import Complaints

from .keywords import known_keywords
from .model import Model

SMALLEST = 5  # pixels of the shorter side from which on a map is halved
LARGE = 48  # pixels of the shorter side from which on the first convolution takes every second pixel
WIDEST = 8  # times the first width


class LeptonNet(Model):
    """A small convolutional network for images; it has the methods of `Model`.

    Convolutions of 3 x 3, each followed by a pooling, a batch normalisation and a ReLU, with twice the filters each time, until the
    maps are below 5 pixels, at least two of them; then a dropout of a quarter, and a dense layer.

    Args:
        input_shape: (height, width, channels) or (height, width) of an image.
        num_classes: Number of classes.
        width: Filters of the first convolution.
        seed: The seed of initial weights, dropout and the order of rows.

    Example:
        >>> model = LeptonNet(input_shape=(28, 28, 1), num_classes=10)  # doctest: +SKIP
    """

    @known_keywords
    def __init__(self, input_shape: tuple[int, ...], num_classes: int, *, width: int = 16, seed: int = 0) -> None:
        super().__init__(input_shape, seed=seed)
        complaints = Complaints("LeptonNet")
        fix = "Give (height, width, channels), each side at least 4 pixels."
        fits = len(self.input_shape) > 2 and min(self.input_shape[:2]) >= SMALLEST - 1
        complaints.check(fits, f"input_shape is {input_shape!r}.", fix)
        for name, number, least in (("num_classes", num_classes, 2), ("width", width, 1)):
            complaints.check(_is_count(number, least), f"{name} is {number!r}.", f"Give a whole number of at least {least}.")
        complaints.raise_any()
        side, filters = min(self.input_shape[:2]), width
        strides = 2 if side >= LARGE else 1
        side //= strides
        while side >= SMALLEST or filters < 4 * width:
            self.add_conv2d(3, filters, padding="same", strides=strides)
            if side >= SMALLEST:
                self.add_pool2d(2)
            self.add_batch_norm()
            self.add_activation("relu")
            side, filters, strides = side // 2, min(2 * filters, WIDEST * width), 1
        self.add_dropout(0.25)
        self.add_dense(num_classes, activation="softmax")


def _is_count(number: Any, least: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= least
