"""Random changes of the colours of RGB images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lepton_automl.arrays import Array

from .operations import COLOURS

RGB = 3  # channels
WHITE = 255.0
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # how bright red, green and blue appear (ITU-R BT.601)
ENHANCE = 0.9  # the largest change of a factor by an operation of strength 1
BITS = 6  # of 8 that posterizing removes at strength 1


class Shades(NamedTuple):
    """How the colours of each image change; all [N].

    Args:
        brightness: Factor of the pixels.
        saturation: Factor of their distance from grey.
        contrast: Factor of their distance from the mean brightness of the image.
    """

    brightness: Array
    saturation: Array
    contrast: Array


def draw_shades(rows: int, jitter: float, operations: Mapping[str, Array], rng: np.random.Generator) -> Shades:
    """Draw factors within `jitter` of 1, which operations of the same names change further.

    Args:
        rows: The number of images.
        jitter: From 0 to 1.
        operations: Signed strengths [N] by name; may be empty.
        rng: The random generator.
    """
    factors = rng.uniform(1 - jitter, 1 + jitter, (3, rows)).astype(np.float32)
    return Shades(
        *(
            factor * (1 + ENHANCE * operations[name]) if operations else factor
            for name, factor in zip(Shades._fields, factors, strict=True)
        )
    )


def recolour(images: Tensor, shades: Shades, operations: Mapping[str, Array]) -> Tensor:
    """Images with other colours, float32 [N, 3, H, W], 0 to 255.

    Args:
        images: float32 [N, 3, H, W]; they may be modified.
        shades: The factors.
        operations: Signed strengths [N] by name, at most one of them not 0 in an image; may be empty.
    """
    changed = np.any([factor != 1 for factor in shades], axis=0)
    if changed.all():
        images = mapped(images, shades)
    elif changed.any():
        rows = torch.from_numpy(changed.nonzero()[0])
        images.index_copy_(0, rows, mapped(images.index_select(0, rows), Shades(*(factor[changed] for factor in shades))))
    drawn = {name: operations.get(name, NOTHING).nonzero()[0] for name in COLOURS}
    if len(drawn["sharpness"]):
        rows = torch.from_numpy(drawn["sharpness"])
        strengths = torch.from_numpy(operations["sharpness"][drawn["sharpness"]]).view(-1, 1, 1, 1)
        images.index_copy_(0, rows, sharpened(images.index_select(0, rows), strengths))
    pixels = images.numpy()
    for name, change_ in CHANGES.items():
        for row in drawn[name].tolist():  # few images: changed one by one they stay in the cache
            change_(pixels[row], float(operations[name][row]))
    return images


NOTHING = np.zeros(0, np.float32)


def mapped(images: Tensor, shades: Shades) -> Tensor:
    """Brightness, saturation and contrast changed, as one linear map of each pixel's channels."""
    brightness, saturation, contrast = (factor[:, None, None] for factor in shades)
    matrix = contrast * brightness * (saturation * np.eye(RGB, dtype=np.float32) + (1 - saturation) * LUMA)
    mean = images.mean((2, 3)).numpy() @ LUMA
    offset = np.repeat((1 - contrast) * brightness * mean[:, None, None], RGB, axis=1)
    pixels = torch.baddbmm(torch.from_numpy(offset), torch.from_numpy(matrix), images.flatten(2))
    return pixels.clamp_(0, WHITE).view(images.shape)


def sharpened(images: Tensor, strengths: Tensor) -> Tensor:
    """Sharper images where the strength [N, 1, 1, 1] is positive, smoother ones where it is negative."""
    return torch.lerp(smooth(images), images, 1 + ENHANCE * strengths).clamp_(0, WHITE)


def smooth(images: Tensor) -> Tensor:
    """The mean of each pixel and its eight neighbours, faster than pooling; at the edges, of those along the edge."""
    for axis in (2, 3):
        result, inner = images.clone(), images.shape[axis] - 2
        if inner > 0:
            middle = result.narrow(axis, 1, inner)
            middle += images.narrow(axis, 0, inner)
            middle += images.narrow(axis, 2, inner)
            middle *= 1 / 3
        images = result
    return images


def posterize_(image: Array, strength: float) -> None:
    """Leave fewer levels of each channel: 8 bits at strength 0, 2 at strength 1 or -1."""
    step = 2 ** (BITS * abs(strength))
    image /= step
    np.floor(image, out=image)
    image *= step


def solarize_(image: Array, strength: float) -> None:
    """Invert the brightest pixels: none at strength 0, all at strength 1 or -1."""
    np.subtract(WHITE, image, out=image, where=image > WHITE * (1 - abs(strength)))


def stretch_(image: Array, strength: float) -> None:
    """Move each channel towards the whole range from 0 to 255, which it fills at strength 1 or -1."""
    pixels = image.reshape(len(image), -1)
    low, high = pixels.min(1, keepdims=True), pixels.max(1, keepdims=True)
    share = abs(strength)
    gain = share * WHITE / np.maximum(high - low, 1)
    pixels *= 1 - share + gain
    pixels -= gain * low


# As in torch, a name that ends in `_` changes its argument: an image, float32 [3, H, W].
CHANGES = {"posterize": posterize_, "solarize": solarize_, "autocontrast": stretch_}
