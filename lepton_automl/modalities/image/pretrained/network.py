"""Published networks with a new last layer."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from lepton_automl.modalities.image.blocks import SqueezeExcite, conv_norm_map, squeeze_map
from lepton_automl.modalities.image.network import Pixels
from lepton_automl.models.build import RecipeNet, channels_last_is_safe
from lepton_automl.models.layers import Channels, Dropout, WidthMap, under

from .recipe import Activation, BackboneRecipe, MobileBlock

ACTIVATIONS: dict[Activation, type[nn.Module]] = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hardswish": nn.Hardswish}
Size = tuple[int, int]


class Norm(nn.BatchNorm2d):
    """A batch normalisation that keeps the published statistics if it is frozen, also in training."""

    frozen = False

    def train(self, mode: bool = True) -> Norm:  # noqa: FBT001, FBT002  # torch's signature
        """Set the mode; a frozen one stays in evaluation mode."""
        super().train(mode and not self.frozen)
        return self


class ConvUnit(nn.Sequential):
    """Convolution without bias, batch normalisation, activation; [N, C, H, W] to [N, C', ceil(H / stride), ceil(W / stride)].

    Args:
        inputs: Input channels.
        outputs: Output channels.
        kernel: Side of the kernels.
        recipe: Sets the padding and the normalisation.
        size: Height and width of the input, which decide the padding if it is uneven.
        stride: The stride.
        groups: Groups of channels.
        activation: None for no activation.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        recipe: BackboneRecipe,
        size: Size,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: Activation | None,
    ) -> None:
        layers: dict[str, nn.Module] = {}
        padding = kernel // 2
        uneven = uneven_padding(kernel, stride, size) if recipe.same else None
        if uneven is not None:
            layers["pad"], padding = nn.ZeroPad2d(uneven), 0
        conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        nn.init.kaiming_normal_(
            conv.weight, mode="fan_out", nonlinearity="relu"
        )  # He et al., Delving Deep into Rectifiers, 2015
        layers |= {"conv": conv, "norm": Norm(outputs, eps=recipe.epsilon)}
        if activation is not None:
            layers["activation"] = ACTIVATIONS[activation]()
        super().__init__(OrderedDict(layers))


def uneven_padding(kernel: int, stride: int, size: Size) -> tuple[int, int, int, int] | None:
    """TensorFlow's padding (left, right, top, bottom) where it differs from half a kernel at each side; else None."""
    totals = [max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in reversed(size)]
    sides = [part for total in totals for part in (total // 2, total - total // 2)]
    return None if all(side == kernel // 2 for side in sides) else (sides[0], sides[1], sides[2], sides[3])


class MobileUnit(nn.Module):
    """The module of a `MobileBlock`; see there."""

    def __init__(
        self, inputs: int, outputs: int, block: MobileBlock, recipe: BackboneRecipe, size: Size, *, stride: int, first: bool
    ) -> None:
        super().__init__()
        self.adds = not first
        mid, activation = block.mid or inputs, block.activation
        self.enter = ConvUnit(inputs, mid, 1, recipe, size, activation=activation) if block.mid else nn.Identity()
        self.depthwise = ConvUnit(mid, mid, block.kernel, recipe, size, stride=stride, groups=mid, activation=activation)
        self.squeeze: nn.Module = nn.Identity()
        if block.squeeze:
            self.squeeze = SqueezeExcite(mid, block.squeeze, nn.Hardsigmoid())
        self.leave = ConvUnit(mid, outputs, 1, recipe, size, activation=None)

    def forward(self, pixels: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        branch: Tensor = self.leave(self.squeeze(self.depthwise(self.enter(pixels))))
        return pixels + branch if self.adds else branch

    @staticmethod
    def width_map(inputs: str, outputs: str, path: str, block: MobileBlock) -> WidthMap:
        """The widths of the block's layers; `path` is the block's path in the recipe."""
        mid = f"{path}.mid" if block.mid else inputs
        channels = under("enter", conv_norm_map(inputs, mid)) if block.mid else {}
        channels |= under("depthwise", conv_norm_map(mid, mid))
        if block.squeeze:
            channels |= under("squeeze", squeeze_map(mid, f"{path}.squeeze"))
        return channels | under("leave", conv_norm_map(mid, outputs))


class BackboneNet(RecipeNet):
    """Stem, stages, features, average pooling, last layer: `forward(image=[N, C, H, W])` gives [N, outputs].

    Args:
        recipe: Every width, depth and kernel.
    """

    ensemble = False  # outputs have no axis of members
    body_rate = 0.3  # learning rate of the published weights, as a share of the last layer's

    def __init__(self, recipe: BackboneRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.pixels = Pixels(3, recipe.pixel_mean, recipe.pixel_std)
        size: Size = recipe.image[1:]
        self.stem = ConvUnit(3, recipe.stem, 3, recipe, size, stride=2, activation=recipe.activation)
        size, inputs = halved(size, 2), recipe.stem
        self.stages = nn.ModuleList()
        for stage in recipe.stages:
            blocks = nn.Sequential()
            for b, block in enumerate(stage.blocks):
                stride = 1 if b else stage.stride
                blocks.append(MobileUnit(inputs, stage.width, block, recipe, size, stride=stride, first=b == 0))
                size, inputs = halved(size, stride), stage.width
            self.stages.append(blocks)
        self.features: nn.Module = nn.Identity()
        if recipe.features:
            self.features = ConvUnit(inputs, recipe.features, 1, recipe, size, activation=recipe.activation)
            inputs = recipe.features
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.hidden: nn.Module = nn.Identity()
        if recipe.hidden:
            layers = {"linear": nn.Linear(inputs, recipe.hidden), "activation": ACTIVATIONS[recipe.activation]()}
            self.hidden, inputs = nn.Sequential(OrderedDict(layers)), recipe.hidden
        self.dropout = Dropout(recipe.dropout)
        self.head = nn.Linear(inputs, recipe.outputs)
        # Small, so that the first outputs are nearly equal and the first loss is not large.
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        self.finish: nn.Module = nn.Identity()
        self._freeze()

    def forward(self, image: Tensor) -> Tensor:
        """Raw pixels [N, C, H, W], 0 to 255, to logits or standardised values [N, outputs]."""
        outputs: Tensor = self.finish(self.head(self.dropout(self.embed(image))))
        return outputs

    def embed(self, image: Tensor) -> Tensor:
        """Raw pixels [N, C, H, W] to what the last layer sees, [N, K]."""
        features = self.stem(self.pixels(image))
        for blocks in self.stages:
            features = blocks(features)
        embedding: Tensor = self.hidden(self.pool(self.features(features)).flatten(1))
        return embedding

    def learning_rate(self, weight: str) -> float:
        """The learning rate of a weight, by its name, as a share of the plan's."""
        return 1.0 if weight.startswith("head.") else self.body_rate

    @property
    def width_map(self) -> WidthMap:
        """Each layer's channels as widths of the recipe."""
        channels = under("stem", conv_norm_map("", "stem"))
        inputs = "stem"
        for s, stage in enumerate(self.recipe.stages):
            outputs = f"stages.{s}.width"
            for b, block in enumerate(stage.blocks):
                path = f"stages.{s}.blocks.{b}"
                channels |= under(f"stages.{s}.{b}", MobileUnit.width_map(inputs, outputs, path, block))
                inputs = outputs
        if self.recipe.features:
            channels |= under("features", conv_norm_map(inputs, "features"))
            inputs = "features"
        if self.recipe.hidden:
            channels["hidden.linear"] = Channels(inputs, "hidden")
            inputs = "hidden"
        return channels | {"head": Channels(inputs, "")}

    @property
    def stage_modules(self) -> tuple[str, ...]:
        """The module that holds the blocks of each stage."""
        return tuple(f"stages.{s}" for s in range(len(self.recipe.stages)))

    def _freeze(self) -> None:
        """Exclude the first stages from training, or everything but the last layer; keep the published statistics."""
        frozen: list[nn.Module] = [self.stem, *self.stages][: self.recipe.frozen]
        if not self.recipe.tuned:
            frozen += [self.features, self.hidden]
        for part in frozen:
            part.requires_grad_(requires_grad=False)
        for module in self.modules():
            if isinstance(module, Norm):
                module.frozen = self.recipe.published_statistics


def halved(size: Size, stride: int) -> Size:
    """Height and width after a stride."""
    return -(-size[0] // stride), -(-size[1] // stride)


def build_backbone(recipe: BackboneRecipe) -> BackboneNet:
    """The network, newly initialised, with channels last where that is faster and safe."""
    network = BackboneNet(recipe)
    if channels_last_is_safe():
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this overload
    return network
