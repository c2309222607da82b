"""The image parts of the specs and plans that all modalities share."""

from __future__ import annotations

from dataclasses import dataclass

from lepton_automl.plans import Augmentation
from lepton_automl.specs import DataSpec, InputSpec

INPUT = "image"  # the network's one input


@dataclass(frozen=True, kw_only=True)
class ImageInput(InputSpec):
    """One image.

    Args:
        shape: (channels, height, width).
        pixel_mean: Mean of each channel over the training images, in 0 to 255.
        pixel_std: Standard deviation of each, likewise.
    """

    kind = "image"

    shape: tuple[int, int, int]
    pixel_mean: tuple[float, ...] = ()
    pixel_std: tuple[float, ...] = ()

    @property
    def network_shape(self) -> tuple[int, ...]:
        """(channels, height, width), standardised by channel."""
        return self.shape


@dataclass(frozen=True, kw_only=True)
class ImageAugmentation(Augmentation):
    """How training images are changed at random.

    Args:
        flip: Whether images may be mirrored (never for digits or text).
        shift: Largest random shift of an image, as a share of its side.
        cutout: Side of the square that is blanked, as a share of the image's side.
        mixup: Parameter of the Beta distribution that mixes pairs; 0 for none.
    """

    kind = "image"

    flip: bool = False
    shift: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0

    def unmixed(self) -> ImageAugmentation:
        """The same without mixing."""
        return self.replace(mixup=0.0)


def image_input(spec: DataSpec) -> ImageInput:
    """The image part of a spec."""
    assert isinstance(spec.input, ImageInput)
    return spec.input
