"""The image parts of the specs and plans that all modalities share."""

from __future__ import annotations

from dataclasses import dataclass

from lepton_automl.errors import Complaints
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
        pretrained: Published networks whose weights are in the data's folder; see `pretrained.backbones`.
    """

    kind = "image"

    shape: tuple[int, int, int]
    pixel_mean: tuple[float, ...] = ()
    pixel_std: tuple[float, ...] = ()
    pretrained: tuple[str, ...] = ()

    @property
    def network_shape(self) -> tuple[int, ...]:
        """(channels, height, width), standardised by channel."""
        return self.shape


@dataclass(frozen=True, kw_only=True)
class ImageAugmentation(Augmentation):
    """How training images are changed at random.

    Args:
        crop: Largest share of an image's area that a random crop leaves out, below 1; the crop is resized to the whole image.
        flip: Whether images may be mirrored (never for digits or text).
        shift: Largest random shift of an image, as a share of its side.
        operation: Largest strength of one random operation on each image, 0 to 1: a shear, shift or rotation, or of RGB images
            also a change of brightness, contrast, saturation, sharpness, number of levels or range.
        colour: Largest relative change of brightness, contrast and saturation of RGB images, 0 to 1.
        cutout: Side of the square that is blanked, as a share of the image's side.
        erase: Probability that a rectangle of an image is blanked, of 2 to 33 % of its area.
        mixup: Parameter of the Beta distribution that mixes pairs; 0 for none.
        cutmix: The same for pairs of which one replaces a rectangle of the other. With both, each batch is mixed in one way.
    """

    kind = "image"

    crop: float = 0.0
    flip: bool = False
    shift: float = 0.0
    operation: float = 0.0
    colour: float = 0.0
    cutout: float = 0.0
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        complaints = Complaints("train")
        complaints.check(0 <= self.crop < 1, f"crop is {self.crop!r}; it must be at least 0 and below 1")
        for name in ("operation", "colour"):
            strength = getattr(self, name)
            complaints.check(0 <= strength <= 1, f"{name} is {strength!r}; it must be from 0 to 1")
        complaints.raise_any()

    def unmixed(self) -> ImageAugmentation:
        """The same without mixing."""
        return self.replace(mixup=0.0, cutmix=0.0)


def image_input(spec: DataSpec) -> ImageInput:
    """The image part of a spec."""
    assert isinstance(spec.input, ImageInput)
    return spec.input
