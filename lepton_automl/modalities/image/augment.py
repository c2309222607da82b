"""Augmentation of whole batches of images, in torch and cheap on a CPU."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .spec import INPUT, ImageAugmentation

SEED_LIMIT = 2**31


class ImageAugment:
    """Applies the random flips, shifts, cutout and mixup of a plan.

    Args:
        plan: `flip`, `shift`, `cutout`, `mixup`.
        fill: Value of a blanked pixel for each channel, in 0 to 255: the mean.
    """

    def __init__(self, plan: ImageAugmentation, fill: Sequence[float]) -> None:
        self.plan = plan
        self.fill = torch.tensor([round(value) for value in fill], dtype=torch.uint8).view(1, -1, 1, 1)

    def __call__(self, inputs: dict[str, Tensor], chance: torch.Generator) -> tuple[dict[str, Tensor], Tensor | None, float]:
        """Return changed images, the partner [N] that each is mixed with (None without mixup), and its own share of the mixture.

        Args:
            inputs: uint8 [N, C, H, W]; they are not modified.
            chance: The random generator.
        """
        images = self.changed(inputs[INPUT], chance)
        if not self.plan.mixup:
            return {INPUT: images}, None, 1.0
        mixed, partner, share = mix(images, self.plan.mixup, chance)
        return {INPUT: mixed}, partner, share

    def changed(self, images: Tensor, chance: torch.Generator) -> Tensor:
        """The images flipped, shifted and with squares blanked, uint8 [N, C, H, W]."""
        height, width = images.shape[-2:]
        if self.plan.flip:
            images = flip(images, chance)
        reach = round(self.plan.shift * max(height, width))
        if reach:
            images = shift(images, min(reach, height - 1, width - 1), chance)
        side = round(self.plan.cutout * max(height, width))
        return cutout(images, side, self.fill, chance) if side else images


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror a random half of the images left to right."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(-1), images)


def shift(images: Tensor, reach: int, generator: torch.Generator) -> Tensor:
    """Shift each image by up to `reach` pixels along each axis; the gap is filled with reflected pixels."""
    rows, height, width = len(images), *images.shape[-2:]
    padded = images[:, :, _mirror(height, reach)][:, :, :, _mirror(width, reach)]
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # [N, C, shifts, shifts, H, W], a view
    down, right = torch.randint(0, 2 * reach + 1, (2, rows), generator=generator)
    return windows[torch.arange(rows), :, down, right]


def _mirror(side: int, reach: int) -> Tensor:
    """Indices of a side that is padded by `reach` at each end, by reflection."""
    index = torch.arange(-reach, side + reach).abs()
    return torch.where(index >= side, 2 * (side - 1) - index, index)


def cutout(images: Tensor, side: int, fill: Tensor, generator: torch.Generator) -> Tensor:
    """Blank a square of each image (DeVries and Taylor, Cutout, 2017); it may extend over the edge."""
    rows, height, width = len(images), *images.shape[-2:]
    top = torch.randint(0, height, (rows, 1, 1, 1), generator=generator) - side // 2
    left = torch.randint(0, width, (rows, 1, 1, 1), generator=generator) - side // 2
    down, right = torch.arange(height).view(1, 1, -1, 1), torch.arange(width).view(1, 1, 1, -1)
    blank = (down >= top) & (down < top + side) & (right >= left) & (right < left + side)
    return torch.where(blank, fill, images)


def mix(images: Tensor, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Mix pairs of images, as float32 in 0 to 255 (Zhang et al., mixup, ICLR 2018).

    Args:
        images: uint8 [N, C, H, W].
        alpha: Parameter of the Beta(alpha, alpha) distribution that the share is drawn from, above 0.
        generator: The random generator.

    Returns:
        The mixed images, the partner [N] of each, and the share of the image itself, from 0.5 to 1.
    """
    share = _beta(alpha, generator)
    partner = torch.randperm(len(images), generator=generator)
    return torch.lerp(images[partner].float(), images.float(), share), partner, share


def _beta(alpha: float, generator: torch.Generator) -> float:
    """The larger of x and 1 - x, x from Beta(alpha, alpha): a ratio of two gamma variables."""
    seed = int(torch.randint(0, SEED_LIMIT, (), generator=generator))
    import numpy as np

    drawn = float(np.random.default_rng(seed).beta(alpha, alpha))
    return max(drawn, 1 - drawn)
