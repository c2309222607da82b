"""Networks of layers, one after the other, for images: search space, recipes and initial designs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from lepton_automl.family import even
from lepton_automl.layers import Layer, SequentialRecipe, layers_from_text, layers_to_text, with_flatten
from lepton_automl.plans import TrainPlan
from lepton_automl.space import Categorical, Config, Float, Space
from lepton_automl.specs import DataSpec

from .spec import ImageInput, image_input

if TYPE_CHECKING:
    from torch import nn

SHARES = 4  # layers from the first on that have a width of their own; later ones are widened as the last of these


def _conv(width: int, size: int = 3) -> tuple[Layer, ...]:
    return (
        Layer(kind="conv2d", width=width, size=(size, size), padding="same"),
        Layer(kind="batch_norm"),
        Layer(kind="activation", activation="relu"),
    )


_HALVE = Layer(kind="pool2d", size=(2, 2), stride=(2, 2), pool="max")
_MEAN = Layer(kind="global_pool2d", pool="average")
USUAL = layers_to_text((*_conv(16), _HALVE, *_conv(32), _HALVE, *_conv(64), _MEAN))
SHORT = layers_to_text((*_conv(8), _HALVE, *_conv(16), _MEAN))
DEEP = layers_to_text((*_conv(16), *_conv(16), _HALVE, *_conv(32), *_conv(32), _HALVE, *_conv(64), *_conv(64), _MEAN))


class SequentialFamily:
    """Layers, one after the other; a study that starts from a network of layers varies the widths of that network."""

    name = "sequential"
    Recipe = SequentialRecipe

    fastest: ClassVar[Config] = {"model.layers": SHORT}

    def accepts(self, spec: DataSpec) -> bool:
        """Whether the data are images; lists of layers that do not fit their size are refused when the recipe is made."""
        return isinstance(spec.input, ImageInput)

    def space(self, spec: DataSpec) -> Space:
        """The layers, their widths as shares of those that are listed, and training."""
        del spec
        widths = {f"model.width{number}": Float(0.5, 2.0, default=1.0, log=True) for number in range(1, SHARES + 1)}
        return Space(
            hyperparameters={
                "model.layers": Categorical(USUAL, SHORT, DEEP, default=USUAL),
                "model.width": Float(0.25, 2.0, default=1.0, log=True),
                **widths,
                "train.lr": Float(1e-4, 1e-1, default=1e-2, log=True),
                "train.weight_decay": Float(1e-4, 1e-1, default=1e-2, log=True),
            }
        )

    def recipe(self, config: Config, spec: DataSpec) -> SequentialRecipe:
        """The recipe of a configuration.

        Raises:
            ConfigError: The layers do not fit the images.
        """
        own = image_input(spec)
        layers, number = [], 0
        for layer in layers_from_text(str(config["layers"])):
            if layer.width:
                number = min(number + 1, SHARES)
                share = float(config["width"]) * float(config[f"width{number}"])
                layer = layer.replace(width=layer.width if share == 1 else even(layer.width * share))
            layers.append(layer)
        return SequentialRecipe(
            outputs=spec.outputs,
            shape=own.shape,
            layers=with_flatten(layers, own.shape),
            mean=own.pixel_mean or (127.5,) * own.shape[0],
            std=tuple(max(std, 1e-3) for std in own.pixel_std or (127.5,) * own.shape[0]),
        )

    def initial_designs(self, spec: DataSpec) -> list[Config]:
        """The default layers, and with other widths; then the other lists of layers."""
        del spec
        return [
            {},
            {"model.width": 0.5},
            {"model.layers": DEEP},
            {"model.layers": SHORT},
            {"prune.ratio": 0.5},
            {"model.width": 2.0, "prune.ratio": 0.5},
            {"model.width": 0.25},
        ]

    def train_plan(self, spec: DataSpec) -> TrainPlan:
        """Small batches for small data sets, as an epoch would otherwise have too few steps; fewer epochs for large ones."""
        rows = spec.train
        batch = 32 if rows < 1_000 else 64 if rows < 5_000 else 128
        return TrainPlan(epochs=min(100, max(15, round(100 * (1_000 / rows) ** 0.4))), batch_size=batch)

    def build(self, recipe: SequentialRecipe) -> nn.Module:
        """The network, with channels last where that is faster and safe."""
        from lepton_automl.models.sequential import build_sequential

        return build_sequential(recipe)

    def for_inference(self, network: Any) -> None:
        """Nothing: the network needs no changes."""
        del network
