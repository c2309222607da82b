"""Augmentation of whole batches of images on a CPU.

What happens to each image is drawn with NumPy, whose calls on short arrays cost least; pixels are changed with torch, or as slices
of one image, whichever was measured to be faster.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lepton_automl.modalities.image.spec import INPUT, ImageAugmentation, image_input
from lepton_automl.specs import DataSpec

from .blank import cutout_, erase_
from .colour import RGB, draw_shades, recolour
from .geometry import flip, resample, shift, views
from .mixing import cutmix, mix
from .operations import COLOURS, GEOMETRY, draw_operations

SEED_LIMIT = 2**31


class ImageAugment:
    """Changes images at random as a plan says: the part that is seen, mirror images, angles, colours, blanks, mixtures.

    All geometric changes of a batch are one resampling, in which pixels from outside an image are reflections of its own. Grey
    images keep their shades.

    Args:
        plan: How images are changed.
        spec: The data: the size of the resulting images, and the mean colour, which fills blanks. Stored images may have
            another size.
    """

    def __init__(self, plan: ImageAugmentation, spec: DataSpec) -> None:
        own = image_input(spec)
        channels, height, width = own.shape
        self.plan, self.size, self.rgb = plan, (height, width), channels == RGB
        self.fill = np.round(np.array(own.pixel_mean or (127.5,) * channels, np.float32)).reshape(-1, 1, 1)
        self.names = GEOMETRY + COLOURS if self.rgb else GEOMETRY

    def __call__(self, inputs: dict[str, Tensor], chance: torch.Generator) -> tuple[dict[str, Tensor], Tensor | None, float]:
        """Return changed images, the partner [N] that each is mixed with (None without mixing), and its own share of the mixture.

        Args:
            inputs: uint8 [N, C, H, W]; they are not modified.
            chance: The random generator.
        """
        rng = np.random.default_rng(int(torch.randint(0, SEED_LIMIT, (), generator=chance)))
        images, plan = self.changed(inputs[INPUT], rng), self.plan
        if plan.cutmix and (not plan.mixup or rng.random() < 1 / 2):
            mixed, partner, share = cutmix(images, plan.cutmix, rng)
        elif plan.mixup:
            mixed, partner, share = mix(images, plan.mixup, rng)
        else:
            return {INPUT: images}, None, 1.0
        return {INPUT: mixed}, partner, share

    def changed(self, stored: Tensor, rng: np.random.Generator) -> Tensor:
        """The images without mixing: [N, C, *size], 0 to 255; uint8 unless they are resampled or recoloured, else float32.

        Args:
            stored: uint8 [N, C, H, W]; they are not modified.
            rng: The random generator.
        """
        plan, rows, images = self.plan, len(stored), stored
        operations = draw_operations(rows, plan.operation, self.names, rng) if plan.operation else {}
        if operations or plan.crop or tuple(stored.shape[-2:]) != self.size:
            seen = views(rows, plan, stored.shape[-2] / stored.shape[-1], operations, rng)
            images = resample(stored, seen, self.size, inside=not (operations or plan.shift))
        else:
            images = self._moved(stored, rng)
        if self.rgb and (plan.colour or operations):
            images = images.to(torch.float32, copy=images is stored)
            images = recolour(images, draw_shades(rows, plan.colour, operations, rng), operations)
        if plan.cutout or plan.erase:
            images = images.clone() if images is stored else images
            self._blank(images.numpy(), rng)
        return images

    def _moved(self, images: Tensor, rng: np.random.Generator) -> Tensor:
        """The images mirrored and shifted by whole pixels, which needs no resampling."""
        height, width = images.shape[-2:]
        if self.plan.flip:
            images = flip(images, rng)
        reach = round(self.plan.shift * max(height, width))
        return shift(images, min(reach, height - 1, width - 1), rng) if reach else images

    def _blank(self, images: np.ndarray, rng: np.random.Generator) -> None:
        side = round(self.plan.cutout * max(images.shape[-2:]))
        if side:
            cutout_(images, side, self.fill, rng)
        if self.plan.erase:
            erase_(images, self.plan.erase, self.fill, rng)
