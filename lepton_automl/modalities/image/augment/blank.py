"""Blanked parts of images. As in torch, a name that ends in `_` changes its argument."""

from __future__ import annotations

import math

import numpy as np

from lepton_automl.arrays import Array

AREA = 0.02, 1 / 3  # of a rectangle, as a share of the image's
ASPECT = math.log(3.3)  # its height over its width, relative to the image's, differs from 1 by at most this factor


def cutout_(images: Array, side: int, fill: Array, rng: np.random.Generator) -> None:
    """Blank a square of each image (DeVries and Taylor, Cutout, 2017); it may extend over the edge.

    Args:
        images: [N, C, H, W], modified.
        side: Of the square, in pixels.
        fill: [C, 1, 1].
        rng: The random generator.
    """
    height, width = images.shape[-2:]
    top = rng.integers(0, height, len(images)) - side // 2
    left = rng.integers(0, width, len(images)) - side // 2
    for image, y, x in zip(images, top.tolist(), left.tolist(), strict=True):
        image[:, max(0, y) : max(0, y + side), max(0, x) : max(0, x + side)] = fill


def erase_(images: Array, probability: float, fill: Array, rng: np.random.Generator) -> None:
    """Blank a random rectangle in a random part of the images (Zhong et al., Random Erasing, AAAI 2020).

    Args:
        images: [N, C, H, W], modified.
        probability: Of each image.
        fill: [C, 1, 1].
        rng: The random generator.
    """
    height, width = images.shape[-2:]
    (rows,) = (rng.random(len(images)) < probability).nonzero()
    area, aspect, top, left = rng.random((4, len(rows)))
    side, root = np.sqrt(AREA[0] + (AREA[1] - AREA[0]) * area), np.exp((aspect - 1 / 2) * ASPECT)
    high, wide = np.rint(height * side * root), np.rint(width * side / root)
    corners = np.stack([top * (height - high + 1), left * (width - wide + 1), high, wide]).astype(int)
    for row, y, x, h, w in zip(rows, *corners.tolist(), strict=True):
        images[row, :, y : y + h, x : x + w] = fill
