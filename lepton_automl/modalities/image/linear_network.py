"""The network of the linear model of images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lepton_automl.modalities.image.recipe import LinearImageRecipe
from lepton_automl.models.linear import LinearNet

from .network import Pixels


class LinearImageNet(LinearNet):
    """A small copy of the image, and one linear layer: `forward(image=[N, C, H, W])` gives [N, K]."""

    features: SmallCopy

    def __init__(self, recipe: LinearImageRecipe) -> None:
        super().__init__(recipe.inputs, recipe.outputs)
        self.recipe = recipe
        self.features = SmallCopy(recipe)

    def forward(self, image: Tensor) -> Tensor:
        """Raw pixels [N, C, H, W], 0 to 255, to logits or standardised values [N, K]."""
        return self.answer(self.features(image))


class SmallCopy(nn.Module):
    """Standardised pixels of a small copy of the image: [N, C, H, W] to [N, F].

    Args:
        recipe: Names the sizes of both.
    """

    def __init__(self, recipe: LinearImageRecipe) -> None:
        super().__init__()
        self.pixels: nn.Module = Pixels(recipe.image[0], recipe.pixel_mean, recipe.pixel_std)
        self.pool = _pool(recipe)

    def forward(self, image: Tensor) -> Tensor:
        """Raw pixels [N, C, H, W], 0 to 255, to float32 [N, F]."""
        copied: Tensor = self.pool(self.pixels(image))
        return copied.flatten(1)


class Raw(nn.Module):
    """Pixels in any number type as float32."""

    def forward(self, image: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        return image.float()


def _pool(recipe: LinearImageRecipe) -> nn.Module:
    """Means over windows of equal size, which overlap if a side is no multiple of the copy's."""
    if max(recipe.image[1:]) <= recipe.side:
        return nn.Identity()
    height, width = recipe.image[1:]
    copies = min(recipe.side, height), min(recipe.side, width)
    steps = height // copies[0], width // copies[1]
    windows = height - (copies[0] - 1) * steps[0], width - (copies[1] - 1) * steps[1]
    return nn.AvgPool2d(windows, steps)


def merge_standardisation(network: LinearImageNet) -> None:
    """Standardise in the layer's weights instead of each pixel, in place; the outputs stay the same."""
    features, head = network.features, network.head
    pixels = features.pixels
    if not isinstance(pixels, Pixels):
        return
    with torch.no_grad():
        places = head.in_features // pixels.scale.numel()
        scale, mean = (part.flatten().repeat_interleave(places) for part in (pixels.scale, pixels.mean))
        head.weight.mul_(scale)
        head.bias.sub_(head.weight @ mean)
    features.pixels = Raw()
