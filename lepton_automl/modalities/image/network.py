"""The RecipeNet for images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lepton_automl.modalities.image.recipe import ConvRecipe
from lepton_automl.models.build import RecipeNet, channels_last_is_safe
from lepton_automl.models.layers import Channels, Dropout, WidthMap, under

from .blocks import BLOCKS, ConvNorm, conv_norm_map


class Pixels(nn.Module):
    """Standardises raw pixels, 0 to 255 in any number type; the constants are not in the state dict.

    Args:
        channels: Channels of an image.
        means: Mean of each channel over the training images; empty if unknown.
        stds: Standard deviation of each channel, likewise.
    """

    def __init__(self, channels: int, means: tuple[float, ...], stds: tuple[float, ...]) -> None:
        super().__init__()
        # Without statistics, the middle of the range stands in for both.
        mean = torch.tensor(means or (127.5,) * channels)
        std = torch.tensor(stds or (127.5,) * channels)
        self.register_buffer("mean", mean.reshape(1, -1, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / std.clamp(min=1e-3).reshape(1, -1, 1, 1), persistent=False)
        self.mean: Tensor
        self.scale: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape, float32."""
        return (image.float() - self.mean) * self.scale


class ConvNet(RecipeNet):
    """Stem, stages, average pooling, one linear layer: `forward(image=[N, C, H, W])` gives [N, outputs].

    Args:
        recipe: Every width, depth and kernel.
    """

    ensemble = False  # outputs have no axis of members

    def __init__(self, recipe: ConvRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.pixels = Pixels(recipe.image[0], recipe.pixel_mean, recipe.pixel_std)
        self.stem = ConvNorm(recipe.image[0], recipe.stem, recipe.stem_kernel, stride=recipe.stem_stride)
        self.stages = nn.ModuleList()
        inputs = recipe.stem
        for stage in recipe.stages:
            blocks = nn.Sequential()
            for b, block in enumerate(stage.blocks):
                outputs = stage.gives(b)
                blocks.append(BLOCKS[block.kind](inputs, outputs, 1 if b else stage.stride, block, first=b == 0))
                inputs = outputs
            self.stages.append(blocks)
        self.pool = _pool(recipe)
        self.dropout = Dropout(recipe.dropout)
        self.head = nn.Linear(inputs * recipe.pool**2, recipe.outputs)
        # Small, so that the first outputs are nearly equal and the first loss is not large.
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        self.finish: nn.Module = nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        """Raw pixels [N, C, H, W], 0 to 255, to logits or standardised values [N, outputs]."""
        features = self.stem(self.pixels(image))
        for blocks in self.stages:
            features = blocks(features)
        outputs: Tensor = self.finish(self.head(self.dropout(self.pool(features).flatten(1))))
        return outputs

    @property
    def width_map(self) -> WidthMap:
        """Each layer's channels as widths of the recipe."""
        channels = under("stem", conv_norm_map("", "stem"))
        inputs = "stem"
        for s, stage in enumerate(self.recipe.stages):
            for b, block in enumerate(stage.blocks):
                path = f"stages.{s}.blocks.{b}"
                outputs = f"{path}.mid" if block.kind == "plain" and block.mid else f"stages.{s}.width"
                channels |= under(f"stages.{s}.{b}", BLOCKS[block.kind].width_map(inputs, outputs, path, block, first=b == 0))
                inputs = outputs
        return channels | {"head": Channels(inputs, "")}

    @property
    def stage_modules(self) -> tuple[str, ...]:
        """The module that holds the blocks of each stage."""
        return tuple(f"stages.{s}" for s in range(len(self.recipe.stages)))


def _pool(recipe: ConvRecipe) -> nn.Module:
    """Average pooling to a map of side `recipe.pool`.

    A side above 1 uses windows of a fixed size, as not every runtime has adaptive pooling; on an odd map they overlap.
    """
    if recipe.pool == 1:
        return nn.AdaptiveAvgPool2d(1)
    sides = recipe.last_map
    steps = sides[0] // recipe.pool, sides[1] // recipe.pool
    windows = [side - (recipe.pool - 1) * step for side, step in zip(sides, steps, strict=True)]
    return nn.AvgPool2d((windows[0], windows[1]), steps)


def build_conv(recipe: ConvRecipe) -> ConvNet:
    """The network, with channels last where that is faster and safe."""
    network = ConvNet(recipe)
    if channels_last_is_safe():
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this overload
    return network
