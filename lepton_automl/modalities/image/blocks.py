"""The blocks of a convolutional RecipeNet.

Whether a block has a skip connection, and of which kind, depends on its kind and position, never on its widths: pruning does
not change a network's wiring. A stage's first block changes width and resolution: a residual one has a projected skip, an
inverted one has none. Later residual and inverted blocks add their output to their input. Plain blocks have no skip.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from lepton_automl.modalities.image.recipe import Block
from lepton_automl.models.layers import Channels, WidthMap, under


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch normalisation, and ReLU unless `linear`; [N, C, H, W] to [N, C', H/stride, W/stride]."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        # He et al., Delving Deep into Rectifiers, 2015; fan-out keeps the variance of gradients.
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        layers: dict[str, nn.Module] = {"conv": conv, "norm": nn.BatchNorm2d(outputs)}
        if not linear:
            layers["relu"] = nn.ReLU()
        super().__init__(OrderedDict(layers))

    def start_at_zero(self) -> None:
        """Start with an output of zero, so that a residual block begins as its skip (Goyal et al., 2017)."""
        norm = self.norm
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.zeros_(norm.weight)


def conv_norm_map(inputs: str, outputs: str) -> WidthMap:
    """The widths of a `ConvNorm`."""
    return {"conv": Channels(inputs, outputs), "norm": Channels(outputs, outputs)}


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from all channels' means (Hu et al., Squeeze-and-Excitation, 2018)."""

    def __init__(self, channels: int, squeeze: int, gate: nn.Module | None = None) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeeze, 1)
        self.relu = nn.ReLU()
        self.expand = nn.Conv2d(squeeze, channels, 1)
        self.gate = gate or nn.Sigmoid()

    def forward(self, pixels: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        gates: Tensor = self.gate(self.expand(self.relu(self.reduce(self.pool(pixels)))))
        return pixels * gates


def squeeze_map(channels: str, squeeze: str) -> WidthMap:
    """The widths of a `SqueezeExcite`."""
    return {"reduce": Channels(channels, squeeze), "expand": Channels(squeeze, channels)}


class PlainBlock(nn.Module):
    """One k x k convolution without a skip connection."""

    def __init__(self, inputs: int, outputs: int, stride: int, block: Block, *, first: bool) -> None:  # noqa: ARG002  # same signature
        super().__init__()
        self.enter = ConvNorm(inputs, outputs, block.kernel, stride=stride)

    def forward(self, pixels: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H/stride, W/stride]."""
        result: Tensor = self.enter(pixels)
        return result

    @staticmethod
    def width_map(inputs: str, outputs: str, path: str, block: Block, *, first: bool) -> WidthMap:  # noqa: ARG004  # same signature
        """The widths of the block's layers."""
        return under("enter", conv_norm_map(inputs, outputs))


class ResidualBlock(nn.Module):
    """Two k x k convolutions with a skip connection (He et al., Deep Residual Learning, 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int, block: Block, *, first: bool) -> None:
        super().__init__()
        self.enter = ConvNorm(inputs, block.mid, block.kernel, stride=stride)
        self.leave = ConvNorm(block.mid, outputs, block.kernel, linear=True)
        self.leave.start_at_zero()
        self.squeeze = SqueezeExcite(outputs, block.squeeze) if block.squeeze else nn.Identity()
        self.skip = ConvNorm(inputs, outputs, stride=stride, linear=True) if first else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, pixels: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H/stride, W/stride]."""
        branch: Tensor = self.squeeze(self.leave(self.enter(pixels)))
        result: Tensor = self.relu(branch + self.skip(pixels))
        return result

    @staticmethod
    def width_map(inputs: str, outputs: str, path: str, block: Block, *, first: bool) -> WidthMap:
        """The widths of the block's layers; `path` is the block's path in the recipe."""
        channels = under("enter", conv_norm_map(inputs, f"{path}.mid")) | under("leave", conv_norm_map(f"{path}.mid", outputs))
        if block.squeeze:
            channels |= under("squeeze", squeeze_map(outputs, f"{path}.squeeze"))
        return channels | (under("skip", conv_norm_map(inputs, outputs)) if first else {})


class InvertedBlock(nn.Module):
    """1x1 to `mid` channels, depthwise k x k, 1x1 back without ReLU (Sandler et al., MobileNetV2, 2018)."""

    def __init__(self, inputs: int, outputs: int, stride: int, block: Block, *, first: bool) -> None:
        super().__init__()
        self.adds = not first
        self.enter = ConvNorm(inputs, block.mid)
        self.depthwise = ConvNorm(block.mid, block.mid, block.kernel, stride=stride, groups=block.mid)
        self.squeeze = SqueezeExcite(block.mid, block.squeeze) if block.squeeze else nn.Identity()
        self.leave = ConvNorm(block.mid, outputs, linear=True)
        if self.adds:
            self.leave.start_at_zero()

    def forward(self, pixels: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H/stride, W/stride]."""
        branch: Tensor = self.leave(self.squeeze(self.depthwise(self.enter(pixels))))
        return pixels + branch if self.adds else branch

    @staticmethod
    def width_map(inputs: str, outputs: str, path: str, block: Block, *, first: bool) -> WidthMap:  # noqa: ARG004  # same signature
        """The widths of the block's layers; `path` is the block's path in the recipe."""
        mid = f"{path}.mid"
        channels = under("enter", conv_norm_map(inputs, mid)) | under("depthwise", conv_norm_map(mid, mid))
        if block.squeeze:
            channels |= under("squeeze", squeeze_map(mid, f"{path}.squeeze"))
        return channels | under("leave", conv_norm_map(mid, outputs))


BLOCKS: dict[str, type[PlainBlock | ResidualBlock | InvertedBlock]] = {
    "plain": PlainBlock,
    "residual": ResidualBlock,
    "inverted": InvertedBlock,
}
