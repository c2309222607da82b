"""Recipes of convolutional networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lepton_automl._json import Value
from lepton_automl.modalities.image.stages import stage_widths, with_blocks, with_stage_widths
from lepton_automl.recipe import Box, LinearRecipe, Recipe, Widths


@dataclass(frozen=True, kw_only=True)
class Block(Value):
    """One block of a convolutional network.

    Args:
        kind: `"residual"`: two k x k convolutions, `mid` channels between, added to the input. `"inverted"`: 1x1 to
            `mid`, depthwise k x k, 1x1 back, added. `"plain"`: one k x k convolution, not added.
        mid: Channels inside the block. For a plain block, its output channels if another plain block follows in its stage;
            otherwise it outputs the stage's width, and `mid` is 0.
        kernel: Side of the (depthwise) kernels: 3, 5 or 7.
        squeeze: Channels of the squeeze-excite bottleneck; 0 for none.
    """

    kind: Literal["residual", "inverted", "plain"]
    mid: int = 0
    kernel: int = 3
    squeeze: int = 0

    def macs(self, inputs: int, outputs: int) -> int:
        """Multiply-accumulates per output pixel."""
        area = self.kernel**2
        if self.kind == "plain":
            return inputs * outputs * area
        if self.kind == "residual":
            return (inputs + outputs) * self.mid * area
        return (inputs + outputs + area) * self.mid


@dataclass(frozen=True, kw_only=True)
class Stage(Value):
    """Blocks at one resolution; the first block has the stride."""

    width: int
    stride: int
    blocks: tuple[Block, ...]

    def gives(self, number: int) -> int:
        """Output channels of a block of this stage."""
        block = self.blocks[number]
        return block.mid if block.kind == "plain" and block.mid else self.width


@dataclass(frozen=True, kw_only=True)
class ConvRecipe(Recipe):
    """A RecipeNet for images: stem, stages of blocks, average pooling, one linear layer.

    Args:
        image: (channels, height, width) of an input.
        stem: Channels of the first convolution.
        stem_kernel: Its kernel.
        stem_stride: Its stride.
        stages: From fine to coarse.
        pool: Side of the map that the last layer sees: 1 (global average) or 2 (averages of the four quarters); never
            more than the last stage's own side.
        dropout: Before the last layer.
        pixel_mean: Mean of each channel, in 0 to 255; a network takes raw pixels and normalises them itself.
        pixel_std: Standard deviation of each.
    """

    family: str = "conv"
    image: tuple[int, int, int]
    pixel_mean: tuple[float, ...] = ()
    pixel_std: tuple[float, ...] = ()
    stem: int
    stem_kernel: int = 3
    stem_stride: int = 1
    stages: tuple[Stage, ...]
    pool: int = 1
    dropout: float = 0.0

    def describe(self) -> str:
        """Stem and stages."""
        # A stage's kind is that of its last block: the first may be there only for the stride.
        stages = ", ".join(
            f"{len(s.blocks)} {s.blocks[-1].kind} {s.blocks[-1].kernel}x{s.blocks[-1].kernel} of {s.width}" for s in self.stages
        )
        return f"conv {self.stem}, {stages}"

    def diagram(self) -> tuple[Box, ...]:
        """The image, the stem, every block, the outputs."""
        channels, height, width = self.image
        kernel = self.stem_kernel
        boxes: list[Box] = [
            ("image", channels, f"image of {height} x {width}, {channels} channels", -1),
            ("stem", self.stem, f"stem: convolution {kernel} x {kernel}, stride {self.stem_stride}", -1),
        ]
        for number, stage in enumerate(self.stages):
            for at, block in enumerate(stage.blocks):
                stride = f", stride {stage.stride}" * (at == 0 and stage.stride > 1)
                squeeze = f", squeeze-excite {block.squeeze}" * bool(block.squeeze)
                description = f"{block.kind} block, kernel {block.kernel}, {block.mid} channels inside{stride}{squeeze}"
                boxes.append((f"{block.kind[:3]} {block.kernel}", stage.gives(at), description, number))
        return (*boxes, ("out", self.outputs, f"{self.outputs} outputs", -1))

    @property
    def last_map(self) -> tuple[int, int]:
        """Height and width of the last stage's output map."""
        _, height, width = self.image
        for stride in (self.stem_stride, *(stage.stride for stage in self.stages)):
            height, width = -(-height // stride), -(-width // stride)
        return height, width

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all convolutions and the last layer."""
        channels, height, width = self.image
        pixels = height * width // self.stem_stride**2
        total, inputs = pixels * channels * self.stem * self.stem_kernel**2, self.stem
        for stage in self.stages:
            pixels //= stage.stride**2
            for number, block in enumerate(stage.blocks):
                outputs = stage.gives(number)
                total += pixels * block.macs(inputs, outputs)
                inputs = outputs
        return int(total + inputs * self.pool**2 * self.outputs)

    @property
    def widths(self) -> Widths:
        """Stem, stage widths, block mids and squeezes."""
        return {"stem": self.stem} | stage_widths(self.stages)

    def with_widths(self, widths: Widths) -> ConvRecipe:
        """The same network with some widths replaced."""
        stages = with_stage_widths(self.stages, widths)
        return self.replace(stem=widths.get("stem", self.stem), stages=stages)

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks in each stage."""
        return tuple(len(stage.blocks) for stage in self.stages)

    def keep_blocks(self, blocks_kept: tuple[tuple[int, ...], ...]) -> ConvRecipe:
        """The same network with only these blocks; a stage's first block carries its stride and must stay."""
        return self.replace(stages=with_blocks(self.stages, blocks_kept, "carries its stride"))


SIDE = 16  # pixels of a side that a linear model sees at most


@dataclass(frozen=True, kw_only=True)
class LinearImageRecipe(LinearRecipe):
    """A linear model of the pixels of a small copy of the image.

    Args:
        image: (channels, height, width) of the stored image.
        side: Pixels of each side of the copy, or the image's own if that has fewer.
        pixel_mean: Mean of each channel over the training images.
        pixel_std: Standard deviation of each, likewise.
    """

    family: str = "linear_image"
    image: tuple[int, int, int]
    side: int = SIDE
    pixel_mean: tuple[float, ...] = ()
    pixel_std: tuple[float, ...] = ()
