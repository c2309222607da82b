"""Stored images in the size that a network takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .spec import INPUT, ImageInput

if TYPE_CHECKING:
    from torch import Tensor

SIDES = (32, 48, 64, 80, 96, 112, 128, 160, 192, 224)  # longer sides of a network's input, in pixels
SMALLEST_STORED = 48  # images up to this longer side are taken as they are
USUAL = 64  # the side that a search begins with: on photos the best use of a short training
CHUNK = 256  # images resized at once


def sides(stored: ImageInput) -> tuple[int, ...]:
    """The longer sides that networks may take, the stored one last; only that where the images are small."""
    longest = max(stored.shape[1:])
    if longest <= SMALLEST_STORED:
        return (longest,)
    return (*(side for side in SIDES if side < longest), longest)


def nearest_side(stored: ImageInput, side: int = USUAL) -> int:
    """The possible side that is nearest to one, by default to that of a search's first networks."""
    return min(sides(stored), key=lambda possible: abs(possible - side))


def with_side(stored: ImageInput, side: int) -> ImageInput:
    """The input with this longer side, its aspect ratio kept to a pixel; never larger than the stored images."""
    channels, height, width = stored.shape
    longest = max(height, width)
    if side >= longest:
        return stored
    return stored.replace(shape=(channels, max(1, round(height * side / longest)), max(1, round(width * side / longest))))


def resize(images: Tensor, size: Sequence[int]) -> Tensor:
    """Images in another size, by antialiased bilinear interpolation.

    Args:
        images: uint8 [N, C, H, W].
        size: (height, width).

    Returns:
        uint8 [N, C, *size].
    """
    import torch
    from torch.nn.functional import interpolate

    height, width = size
    resized = torch.empty((len(images), images.shape[1], height, width), dtype=torch.uint8)
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK].to(torch.float32)
        smaller = interpolate(part, (height, width), mode="bilinear", antialias=True, align_corners=False)
        resized[start : start + CHUNK] = smaller.round_().clamp_(0, 255).to(torch.uint8)
    return resized


def resized_inputs(own: ImageInput, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Stored rows in the size of an input; as they are if they have it."""
    images = inputs[INPUT]
    return inputs if tuple(images.shape[1:]) == own.shape else inputs | {INPUT: resize(images, own.shape[1:])}


def resized_examples(own: ImageInput, examples: list[Any]) -> list[Any]:
    """Raw examples [H, W, C] in the size of an input."""
    import torch

    def changed(image: Any) -> Any:
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
        return image if image.shape[:2] == own.shape[1:] else resize(pixels, own.shape[1:])[0].permute(1, 2, 0).numpy()

    return [changed(image) for image in examples]
