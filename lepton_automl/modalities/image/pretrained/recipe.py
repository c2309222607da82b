"""Recipes of published image networks: what is left of a backbone, and a new last layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lepton_automl._json import Value
from lepton_automl.modalities.image.stages import stage_widths, with_blocks, with_stage_widths
from lepton_automl.recipe import Box, Recipe, Widths

Activation = Literal["relu", "relu6", "hardswish"]


@dataclass(frozen=True, kw_only=True)
class MobileBlock(Value):
    """A depthwise convolution between two 1x1 convolutions, added to its input unless it is the first of its stage.

    Args:
        mid: Channels between the two; 0 if there is no first 1x1 convolution, so that the block's input is convolved.
        kernel: Side of the depthwise kernels.
        squeeze: Channels of the squeeze-excite bottleneck; 0 for none.
        activation: After the first two convolutions.
    """

    mid: int = 0
    kernel: int = 3
    squeeze: int = 0
    activation: Activation = "relu6"


@dataclass(frozen=True, kw_only=True)
class MobileStage(Value):
    """Blocks of one width; the first block has the stride."""

    width: int
    stride: int = 1
    blocks: tuple[MobileBlock, ...]


@dataclass(frozen=True, kw_only=True)
class BackboneRecipe(Recipe):
    """A published network for images, or a part of it, with a new last layer.

    Args:
        backbone: The name of the published network; see `backbones`.
        image: (channels, height, width) of an input; a grey image is used for each of the three colours.
        pixel_mean: Mean of each colour in 0 to 255, as the published network expects it.
        pixel_std: Standard deviation of each.
        stem: Channels of the first convolution, 3x3 with stride 2.
        stages: From fine to coarse.
        features: Channels of the 1x1 convolution after the last stage; 0 for none.
        hidden: Outputs of the linear layer after the average pooling; 0 for none.
        activation: Of the stem, the features and the hidden layer.
        epsilon: Of the batch normalisations.
        same: Whether images are padded as in TensorFlow: more below and to the right where the padding is uneven.
        tuned: Number of last stages that are trained further; 0 to train only the last layer, and all of them for the stem too.
            The other weights stay as published.
        published_statistics: Whether the batch normalisations keep the published statistics, also in training. The solved last
            layer fits these; statistics of small batches would have to be learned around.
        dropout: Before the last layer.
    """

    family: str = "pretrained"
    backbone: str
    image: tuple[int, int, int]
    pixel_mean: tuple[float, ...]
    pixel_std: tuple[float, ...]
    stem: int
    stages: tuple[MobileStage, ...]
    features: int = 0
    hidden: int = 0
    activation: Activation = "relu6"
    epsilon: float = 1e-3
    same: bool = False
    tuned: int = 0
    published_statistics: bool = True
    dropout: float = 0.0

    @property
    def frozen(self) -> int:
        """Number of first stages, the stem included, whose weights are not trained."""
        return 0 if self.tuned >= len(self.stages) else len(self.stages) + 1 - self.tuned

    def describe(self) -> str:
        """Backbone, number of blocks, and how much of it is trained."""
        blocks = sum(self.depths)
        trained = "all of it" if not self.frozen else f"the last {self.tuned} stages" if self.tuned else "only the last layer"
        return f"{self.backbone}, {blocks} blocks up to {self.stages[-1].width} channels, {trained} trained"

    def diagram(self) -> tuple[Box, ...]:
        """The image, the stem, every block, the layers after them, the outputs."""
        channels, height, width = self.image
        boxes: list[Box] = [
            ("image", channels, f"image of {height} x {width}, {channels} channels", -1),
            ("stem", self.stem, "stem: convolution 3 x 3, stride 2", -1),
        ]
        for number, stage in enumerate(self.stages):
            for at, block in enumerate(stage.blocks):
                stride = f", stride {stage.stride}" * (at == 0 and stage.stride > 1)
                squeeze = f", squeeze-excite {block.squeeze}" * bool(block.squeeze)
                inside = f", {block.mid} channels inside" * bool(block.mid)
                boxes.append(
                    (f"inv {block.kernel}", stage.width, f"block, kernel {block.kernel}{inside}{stride}{squeeze}", number)
                )
        if self.features:
            boxes.append(("features", self.features, "convolution 1 x 1", -1))
        if self.hidden:
            boxes.append(("hidden", self.hidden, "linear layer", -1))
        return (*boxes, ("out", self.outputs, f"{self.outputs} outputs", -1))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all convolutions and linear layers."""
        _, height, width = self.image
        height, width = -(-height // 2), -(-width // 2)
        total, inputs = height * width * 27 * self.stem, self.stem
        for stage in self.stages:
            for number, block in enumerate(stage.blocks):
                mid = block.mid or inputs
                total += height * width * inputs * block.mid
                if number == 0:
                    height, width = -(-height // stage.stride), -(-width // stage.stride)
                total += height * width * mid * (block.kernel**2 + stage.width) + 2 * mid * block.squeeze
                inputs = stage.width
        for outputs, pixels in ((self.features, height * width), (self.hidden, 1), (self.outputs, 1)):
            total += pixels * inputs * outputs
            inputs = outputs or inputs
        return total

    @property
    def widths(self) -> Widths:
        """Stem, stage widths, channels inside blocks, squeezes, features and hidden layer."""
        layers = {name: getattr(self, name) for name in ("features", "hidden") if getattr(self, name)}
        return {"stem": self.stem} | stage_widths(self.stages) | layers

    def with_widths(self, widths: Widths) -> BackboneRecipe:
        """The same network with some widths replaced; all of a narrower network is trained, with statistics of its own."""
        if all(widths.get(path, width) == width for path, width in self.widths.items()):
            return self
        stages = with_stage_widths(self.stages, widths)
        narrower = {name: widths.get(name, getattr(self, name)) for name in ("stem", "features", "hidden")}
        return self.replace(stages=stages, tuned=len(stages), published_statistics=False, **narrower)

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks in each stage."""
        return tuple(len(stage.blocks) for stage in self.stages)

    def keep_blocks(self, blocks_kept: tuple[tuple[int, ...], ...]) -> BackboneRecipe:
        """The same network with only these blocks; a stage's first block changes its width and must stay."""
        return self.replace(stages=with_blocks(self.stages, blocks_kept, "changes its width"))
