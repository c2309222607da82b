"""Stored images in the size that a network takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .spec import INPUT, ImageInput

if TYPE_CHECKING:
    from torch import Tensor

SIDES = (32, 48, 64, 80, 96, 112, 128, 160, 192, 224)  # longer sides of a network's input, in pixels
SMALLEST_STORED = 48  # images up to this longer side are taken as they are
USUAL = 64  # the side that a search begins with: on photos the best use of a short training


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


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images in another size, as predictions resize theirs.

    Args:
        images: uint8 [N, C, H, W].
        size: (height, width).

    Returns:
        uint8 [N, C, *size].
    """
    import torch

    from .preprocess.pixels import resized

    smaller = torch.empty((*images.shape[:2], *size), dtype=torch.uint8)
    for number, image in enumerate(images.numpy()):
        smaller[number] = torch.from_numpy(resized(image, size))
    return smaller


def resized_inputs(own: ImageInput, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Stored rows in the size of an input; as they are if they have it."""
    images = inputs[INPUT]
    return inputs if tuple(images.shape[1:]) == own.shape else inputs | {INPUT: resize(images, own.shape[1:])}


def resized_examples(own: ImageInput, examples: list[Any]) -> list[Any]:
    """Raw examples [H, W, C] in the size of an input."""
    from .preprocess.pixels import resized

    return [resized(image.transpose(2, 0, 1), own.shape[1:]).transpose(1, 2, 0) for image in examples]
