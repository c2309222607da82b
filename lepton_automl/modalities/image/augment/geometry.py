"""What part of each image is seen, and how: random crops, mirror images, shifts, shears and rotations."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lepton_automl.arrays import Array
from lepton_automl.modalities.image.spec import ImageAugmentation

# What an operation of strength 1 does: the tangent of a shear, a shift as a share of the crop's side, an angle.
SHEAR, TRANSLATE, ROTATE = 0.5, 0.3, math.pi / 4
ASPECT = math.log(4 / 3)  # a crop's width over its height, relative to the image's, differs from 1 by at most this factor


def views(rows: int, plan: ImageAugmentation, tall: float, operations: Mapping[str, Array], rng: np.random.Generator) -> Tensor:
    """Draw the view of each image: an affine map from places in the result to places in the image, float32 [N, 2, 3].

    Places are pairs (x, y) from -1 to 1, from the left and upper edges to the right and lower ones.

    Args:
        rows: The number of images.
        plan: `crop` (below 1), `flip` and `shift`.
        tall: Height of an image over its width.
        operations: Signed strengths [N] by operation; of the geometric ones at most one is not 0 in an image.
        rng: The random generator.
    """
    area, aspect, left, top, right, down, mirrored = rng.random((7, rows), np.float32)
    root = np.exp((aspect - 1 / 2) * min(ASPECT, -math.log(1 - plan.crop)))  # of the aspect, which a slight crop hardly changes
    side = np.sqrt(1 - plan.crop * area)
    wide, high = np.minimum(side * root, 1), np.minimum(side / root, 1)
    # A shift is a share of the longer side.
    x = (2 * left - 1) * (1 - wide) + (2 * right - 1) * 2 * plan.shift * max(1, tall)
    y = (2 * top - 1) * (1 - high) + (2 * down - 1) * 2 * plan.shift * max(1, 1 / tall)
    if plan.flip:
        wide = np.where(mirrored < 1 / 2, -wide, wide)
    seen = np.zeros((rows, 2, 3), np.float32)
    if operations:
        angle = operations["rotate"] * ROTATE
        cos, sin = np.cos(angle), np.sin(angle)
        # Angles are those between pixels: a step of y has `tall` times as many pixels as one of x.
        seen[:, 0, 1] = high * (operations["shear_x"] * SHEAR - sin) * tall
        seen[:, 1, 0] = wide * (operations["shear_y"] * SHEAR + sin) / tall
        x, y = x + operations["translate_x"] * 2 * TRANSLATE * wide, y + operations["translate_y"] * 2 * TRANSLATE * high
        wide, high = wide * cos, high * cos
    seen[:, 0, 0], seen[:, 1, 1], seen[:, 0, 2], seen[:, 1, 2] = wide, high, x, y
    return torch.from_numpy(seen)


def resample(images: Tensor, seen: Tensor, size: tuple[int, int], *, inside: bool = False) -> Tensor:
    """The views of images, by bilinear interpolation: float32 [N, C, *size].

    A view that reduces an image by a large factor is taken from a copy of half the size, a quarter, and so on, as
    interpolation alone would skip pixels.

    Args:
        images: [N, C, H, W] in any number type; they are not modified.
        seen: Affine maps [N, 2, 3], see `views`.
        size: (height, width) of the result.
        inside: Whether no view reaches outside its image, which is computed faster.
    """
    images = images.float()
    padding = "border" if inside else "reflection"
    levels = _levels(images, seen, size)
    if levels is None:
        return _resampled(images, seen, size, padding)
    result = images.new_empty(*images.shape[:2], *size)
    for level in range(int(levels.max()) + 1):
        rows = (levels == level).nonzero().flatten()
        if len(rows):
            result.index_copy_(0, rows, _resampled(images.index_select(0, rows), seen[rows], size, padding))
        images = halved(images)
    return result


def halved(images: Tensor) -> Tensor:
    """Images of half the size, [N, C, H // 2, W // 2], by the mean of four pixels; sides of one pixel stay."""
    if images.shape[-1] > 1:
        images = (images[..., :-1:2] + images[..., 1::2]) / 2
    return (images[..., :-1:2, :] + images[..., 1::2, :]) / 2 if images.shape[-2] > 1 else images


def _levels(images: Tensor, seen: Tensor, size: tuple[int, int]) -> Tensor | None:
    """How often each image is halved before its view is taken, [N]; None if no image is."""
    height, width = images.shape[-2:]
    if max(height / size[0], width / size[1]) < math.sqrt(2):
        return None
    pixels = seen[:, :, :2] * torch.tensor([[width], [height]])  # in the image, for half the width and the height of the view
    steps: Tensor = pixels.square().sum(1).sqrt() / torch.tensor([size[1], size[0]])  # by one pixel of the result
    return steps.amax(1).clamp(min=1).log2().round().int()


def _resampled(images: Tensor, seen: Tensor, size: tuple[int, int], padding: str) -> Tensor:
    return functional.grid_sample(images, _grid(seen, size), padding_mode=padding, align_corners=False)


def _grid(seen: Tensor, size: tuple[int, int]) -> Tensor:
    """The place in the image of each pixel of the result, [N, *size, 2]; much faster than torch's `affine_grid`."""
    y, x = ((torch.arange(side) * 2 + 1) / side - 1 for side in size)
    by_row = seen[:, :, 1:2] * y + seen[:, :, 2:]  # [N, 2, height]
    by_column = seen[:, :, :1] * x
    return (by_row.unsqueeze(3) + by_column.unsqueeze(2)).permute(0, 2, 3, 1)


def flip(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror a random half of the images left to right."""
    mirrored = rng.random(len(images)) < 1 / 2
    result = images.numpy().copy()
    result[mirrored] = result[mirrored][..., ::-1]
    return torch.from_numpy(result)


def shift(images: Tensor, reach: int, rng: np.random.Generator) -> Tensor:
    """Shift each image by up to `reach` pixels along each axis; the gap is filled with reflected pixels."""
    height, width = images.shape[-2:]
    padded = _padded(images.numpy(), reach)
    result = np.empty_like(images.numpy())
    down, right = rng.integers(0, 2 * reach + 1, (2, len(images))).tolist()
    for row, (top, left) in enumerate(zip(down, right, strict=True)):  # slices: ten times faster than one indexed copy
        result[row] = padded[row, :, top : top + height, left : left + width]
    return torch.from_numpy(result)


def _padded(images: Array, reach: int) -> Array:
    """Images [N, C, H, W] with `reach` reflected pixels beyond each edge; faster than np.pad."""
    height, width = images.shape[-2:]
    padded = np.empty((*images.shape[:2], height + 2 * reach, width + 2 * reach), images.dtype)
    middle = padded[:, :, reach : reach + height]
    middle[..., reach : reach + width] = images
    middle[..., :reach] = images[..., reach:0:-1]
    middle[..., reach + width :] = images[..., -2 : -2 - reach : -1]
    padded[:, :, :reach] = middle[:, :, reach:0:-1]
    padded[:, :, reach + height :] = middle[:, :, -2 : -2 - reach : -1]
    return padded
