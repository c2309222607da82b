"""Mixtures of pairs of images.

Partners are as many places apart in each batch, whose order is random anyway: that mixes slices of the batch and copies none.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor


def mix(images: Tensor, alpha: float, rng: np.random.Generator) -> tuple[Tensor, Tensor, float]:
    """Mix pairs of images, as float32 in 0 to 255 (Zhang et al., mixup, ICLR 2018).

    Args:
        images: uint8 or float32 [N, C, H, W]; they are not modified.
        alpha: Parameter of the Beta(alpha, alpha) distribution that the share is drawn from, above 0.
        rng: The random generator.

    Returns:
        The mixed images, the partner [N] of each, and the share of the image itself, from 0.5 to 1.
    """
    share, apart = _share(alpha, rng), _apart(len(images), rng)
    pixels = images.float()
    mixed, turn = torch.empty_like(pixels), len(images) - apart
    torch.lerp(pixels[apart:], pixels[:turn], share, out=mixed[:turn])
    torch.lerp(pixels[:apart], pixels[turn:], share, out=mixed[turn:])
    return mixed, _partner(len(images), apart), share


def cutmix(images: Tensor, alpha: float, rng: np.random.Generator) -> tuple[Tensor, Tensor, float]:
    """Replace a rectangle of each image, the same in the whole batch, by that of another one (Yun et al., CutMix, ICCV 2019).

    Args:
        images: [N, C, H, W]; they are not modified.
        alpha: Parameter of the Beta(alpha, alpha) distribution that the share is drawn from, above 0.
        rng: The random generator.

    Returns:
        The mixed images in the same number type, the partner [N] of each, and the share of its own pixels, from 0.5 to 1.
    """
    side, apart = math.sqrt(1 - _share(alpha, rng)), _apart(len(images), rng)
    height, width = images.shape[-2:]
    (top, bottom), (left, right) = _stretch(height, side, rng), _stretch(width, side, rng)
    mixed, turn = images.clone(), len(images) - apart
    mixed[:turn, :, top:bottom, left:right] = images[apart:, :, top:bottom, left:right]
    mixed[turn:, :, top:bottom, left:right] = images[:apart, :, top:bottom, left:right]
    return mixed, _partner(len(images), apart), 1 - (bottom - top) * (right - left) / (height * width)


def _share(alpha: float, rng: np.random.Generator) -> float:
    """The larger of x and 1 - x, x from Beta(alpha, alpha)."""
    drawn = float(rng.beta(alpha, alpha))
    return max(drawn, 1 - drawn)


def _apart(rows: int, rng: np.random.Generator) -> int:
    """How many places after an image its partner is; 0 if it is alone."""
    return int(rng.integers(1, rows)) if rows > 1 else 0


def _partner(rows: int, apart: int) -> Tensor:
    return (torch.arange(rows) + apart) % rows


def _stretch(length: int, share: float, rng: np.random.Generator) -> tuple[int, int]:
    """The ends of a random stretch of a side whose centre is anywhere; what extends over the edge is cut off."""
    stretch = int(share * length)  # rounded down, so that the rectangle has at most half of the pixels
    start = int(rng.integers(0, length)) - stretch // 2
    return max(0, start), min(length, start + stretch)
