"""Convolutional networks: search space, recipes and initial designs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from lepton_automl.family import even
from lepton_automl.modalities.image.recipe import Block, ConvRecipe, Stage
from lepton_automl.plans import TrainPlan
from lepton_automl.space import Categorical, Config, Float, Hyperparameter, Integer, Space
from lepton_automl.specs import DataSpec

from .resize import SIDES, nearest_side, sides, with_side
from .spec import ImageAugmentation, ImageInput, image_input

if TYPE_CHECKING:
    from torch import nn


class ConvFamily:
    """Convolutional networks for images."""

    name = "conv"
    Recipe = ConvRecipe
    fastest: ClassVar[Config] = {
        "model.growth": 1.5,
        "model.block": "plain",
        "model.stem_stride": 2,
        "model.pool": 1,
        "model.side": SIDES[0],
    }

    def accepts(self, spec: DataSpec) -> bool:
        """Whether the data are images; any size is accepted."""
        return isinstance(spec.input, ImageInput)

    def space(self, spec: DataSpec) -> Space:
        """Hyperparameters of stem, stages and blocks, of training and augmentation."""
        return image_space(spec)

    def input(self, config: Config, spec: DataSpec) -> ImageInput:
        """Images of the configuration's size."""
        return network_input(config, spec)

    def recipe(self, config: Config, spec: DataSpec) -> ConvRecipe:
        """The recipe of a configuration."""
        return conv_recipe(config, spec)

    def initial_designs(self, spec: DataSpec) -> list[Config]:
        """Designs of different sizes, in an order that spans the front early."""
        return PHOTO_DESIGNS if are_photos(image_input(spec)) else DESIGNS

    def train_plan(self, spec: DataSpec) -> TrainPlan:
        """A plan by empirical rules.

        Small datasets get small batches, as an epoch would otherwise have too few steps; large ones need fewer epochs.
        """
        rows = spec.train
        batch = 32 if rows < 1_000 else 64 if rows < 5_000 else 128
        epochs = min(120, max(18, round(120 * (1_000 / rows) ** 0.4)))
        augment = ImageAugmentation()
        return TrainPlan(epochs=epochs, batch_size=batch, lr=3e-2, weight_decay=5e-2, label_smoothing=0.1, augment=augment)

    def build(self, recipe: ConvRecipe) -> nn.Module:
        """The network, with channels last where that is faster and safe."""
        from .network import build_conv

        return build_conv(recipe)

    def for_inference(self, network: Any) -> None:
        """Nothing: the network needs no changes."""
        del network


def image_space(spec: DataSpec) -> Space:
    """Every hyperparameter, by prefixed name."""
    stored = image_input(spec)
    stages, most = _usual_stages(with_side(stored, nearest_side(stored))), _usual_stages(stored) + 1
    small = min(stored.shape[1:]) <= TINY
    hyperparameters: dict[str, Hyperparameter] = {
        "model.block": Categorical("plain", "residual", "inverted", default="plain"),
        "model.width": Integer(4, 64, default=16, log=True),
        "model.growth": Categorical(1.5, 2.0, default=2.0),
        "model.stages": Integer(1, most, default=stages),
        "model.expand": Categorical(0.5, 1.0, 2.0, 4.0, default=1.0),
        "model.kernel": Categorical(3, 5, 7, default=3),
        "model.squeeze": Categorical(False, True, default=False),
        "model.stem_stride": Categorical(1, 2, default=1 if small else 2),
        "model.pool": Categorical(1, 2, default=2 if small else 1),
        "train.lr": Float(5e-3, 6e-2, default=3e-2, log=True),
        "train.weight_decay": Float(5e-3, 2e-1, default=5e-2, log=True),
        "train.label_smoothing": Float(0.0, 0.2, default=0.1),
    }
    hyperparameters |= _augmentation(spec)
    for stage in range(1, most + 1):
        hyperparameters[f"model.depth{stage}"] = Integer(1, 3, default=2)
    if len(sides(stored)) > 1:
        hyperparameters["model.side"] = Categorical(*sides(stored), default=nearest_side(stored))
    return Space(hyperparameters=hyperparameters)


def _augmentation(spec: DataSpec) -> dict[str, Hyperparameter]:
    """Hyperparameters of the augmentation.

    By default, photos are cropped, mirrored and changed in colour. Where left and right differ in meaning cannot be seen in the
    pixels, so that one of the first designs does not mirror.
    """
    channels, height, width = image_input(spec).shape
    small, photos = min(height, width) <= TINY, are_photos(image_input(spec))
    hyperparameters: dict[str, Hyperparameter] = {
        "train.crop": Float(0.0, 0.8, default=0.3 if photos else 0.0),
        "train.shift": Float(0.0, 0.15, default=0.0 if small or photos else 0.07),
        "train.flip": Categorical(False, True, default=channels == RGB and min(height, width) >= MIRRORED),
        "train.operation": Float(0.0, 1.0, default=0.0),
        "train.cutout": Float(0.0, 0.4, default=0.0),
        "train.erase": Float(0.0, 0.5, default=0.0),
        "train.mixup": Float(0.0, 0.4, default=0.0),
        "train.cutmix": Float(0.0, 1.0, default=0.0),
    }
    return hyperparameters | ({"train.colour": Float(0.0, 0.6, default=0.2 if photos else 0.0)} if channels == RGB else {})


RGB = 3  # channels of an image in colour
TINY = 12  # pixels of the shorter side; images up to this size are not downsampled early
MIRRORED = 24  # pixels of the shorter side, from which images in colour are mirrored by default
PHOTO = 40  # the same, from which images in colour count as photos


def are_photos(stored: ImageInput) -> bool:
    """Whether images are in colour and large enough to be photos of things at different distances."""
    channels, height, width = stored.shape
    return channels == RGB and min(height, width) >= PHOTO


def network_input(config: Config, spec: DataSpec) -> ImageInput:
    """The images that a network takes: its `side` sets their longer side."""
    stored = image_input(spec)
    return with_side(stored, int(config["side"])) if "side" in config else stored


def _usual_stages(images: ImageInput) -> int:
    """Number of halvings after which the last map is about four pixels wide."""
    side = min(images.shape[1:])
    return 1 if side <= TINY else 2 if side <= 40 else 3 if side <= 100 else 4


def conv_recipe(hyperparameters: Config, spec: DataSpec) -> ConvRecipe:
    """A recipe from the `model.*` settings, given without their prefix."""
    channels, height, width = network_input(hyperparameters, spec).shape
    base, growth = float(hyperparameters["width"]), float(hyperparameters["growth"])
    stages = tuple(
        Stage(width=wide, stride=2, blocks=_blocks(hyperparameters, wide, int(hyperparameters[f"depth{number}"])))
        for number in range(1, int(hyperparameters["stages"]) + 1)
        if (wide := even(base * growth**number))
    )
    recipe = ConvRecipe(
        outputs=spec.outputs,
        image=(channels, height, width),
        pixel_mean=image_input(spec).pixel_mean,
        pixel_std=image_input(spec).pixel_std,
        stem=even(base),
        stem_kernel=5 if min(height, width) > 100 else 3,
        stem_stride=int(hyperparameters["stem_stride"]),
        stages=stages,
    )
    return recipe.replace(pool=min(int(hyperparameters["pool"]), *recipe.last_map))


def _blocks(hyperparameters: Config, width: int, depth: int) -> tuple[Block, ...]:
    """A stage's blocks: a residual stage begins with a plain block that halves the map."""
    kernel = int(hyperparameters["kernel"])
    mid = max(4, even(width * float(hyperparameters["expand"])))
    squeeze = max(4, mid // 4) if hyperparameters["squeeze"] else 0
    if hyperparameters["block"] == "plain":
        return (Block(kind="plain", kernel=kernel, mid=width),) * (depth - 1) + (Block(kind="plain", kernel=kernel),)
    if hyperparameters["block"] == "residual":
        block = Block(kind="residual", kernel=kernel, mid=mid, squeeze=squeeze)
        return (Block(kind="plain", kernel=kernel), *(block,) * depth)
    return (Block(kind="inverted", kernel=kernel, mid=mid, squeeze=squeeze),) * depth


_SHALLOW: Config = {f"model.depth{number}": 1 for number in range(1, 6)}
DESIGNS: list[Config] = [
    {},
    _SHALLOW | {"model.width": 8, "model.pool": 2},
    _SHALLOW | {"model.block": "residual", "model.width": 24},
    {"model.width": 12, "model.stages": 1, "model.pool": 2},
    _SHALLOW | {"model.width": 4, "model.stages": 1, "model.pool": 2, "model.stem_stride": 2},
    _SHALLOW | {"model.width": 4, "model.stages": 1, "model.pool": 2, "model.stem_stride": 2, "prune.ratio": 0.5},
    {"model.width": 24},
    _SHALLOW | {"model.width": 16, "model.pool": 2},
    _SHALLOW | {"model.block": "residual", "model.width": 16, "model.stem_stride": 1},
    {"model.width": 32, "prune.ratio": 0.5},
]
# A small residual network is the most accurate one for the time of its training on photos, so it comes first and trains longest.
_RESIDUAL = _SHALLOW | {"model.block": "residual", "model.stages": 3}
PHOTO_DESIGNS: list[Config] = [
    _RESIDUAL,
    _SHALLOW | {"model.width": 24, "model.stages": 3},
    _RESIDUAL | {"model.width": 24},
    _SHALLOW | {"model.width": 12, "model.stages": 2, "model.side": 48},
    _RESIDUAL | {"train.flip": False},
    {"model.block": "inverted", "model.expand": 2.0, "model.stages": 3},
    _RESIDUAL | {"model.side": 96},
    _SHALLOW | {"model.width": 8, "model.stages": 1, "model.pool": 2, "model.side": 32},
    _RESIDUAL | {"train.crop": 0.5, "train.colour": 0.3, "train.cutmix": 0.5},
    {"model.width": 32, "prune.ratio": 0.5},
]
