"""Published networks that are continued: search space, recipes and initial designs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lepton_automl.modalities.image.family import image_space, network_input
from lepton_automl.modalities.image.resize import SIDES, nearest_side, sides
from lepton_automl.modalities.image.spec import ImageAugmentation, ImageInput, image_input
from lepton_automl.plans import TrainPlan
from lepton_automl.space import Categorical, Config, Float, Integer, Space
from lepton_automl.specs import DataSpec

from .backbones import BACKBONES
from .find import copied_weights
from .recipe import BackboneRecipe

if TYPE_CHECKING:
    from torch import nn

FEWEST_STAGES = 2
EVERY_STAGE = 8  # more than any backbone has
SMALL, LARGE = 1_000, 5_000  # rows; between them the batch size changes
USUAL_SIDE, LARGE_SIDE = 96, 160  # pixels: published networks lose detail below, and take long to train above


class PretrainedFamily:
    """Published networks for images, or their first stages, with a new last layer."""

    name = "pretrained"
    Recipe = BackboneRecipe
    fastest: ClassVar[Config] = {"model.backbone": "mobilenet_v3_small", "model.side": SIDES[0]}

    def accepts(self, spec: DataSpec) -> bool:
        """Whether the data are images, and published weights are with them."""
        return isinstance(spec.input, ImageInput) and bool(spec.input.pretrained)

    def space(self, spec: DataSpec) -> Space:
        """Backbone, its number of stages, how many are trained, and the settings of training that all networks for images have."""
        names, stored = image_input(spec).pretrained, image_input(spec)
        size = {"model.side": Categorical(*sides(stored), default=nearest_side(stored, USUAL_SIDE))}
        most = max(BACKBONES[name].stages for name in names)
        training = {name: setting for name, setting in image_space(spec).items() if name.startswith("train.")}
        return Space(
            hyperparameters={
                "model.backbone": Categorical(*names, default=names[0]),
                "model.stages": Integer(FEWEST_STAGES, most, default=most),
                "model.tuned": Categorical(0, 1, 2, 4, EVERY_STAGE, default=EVERY_STAGE),
                **(size if len(sides(stored)) > 1 else {}),
                **training,
                "train.lr": Float(3e-4, 1e-2, default=1e-3, log=True),
                "train.weight_decay": Float(1e-3, 1e-1, default=2e-2, log=True),
            }
        )

    def input(self, config: Config, spec: DataSpec) -> ImageInput:
        """Images of the configuration's size."""
        return network_input(config, spec)

    def recipe(self, config: Config, spec: DataSpec) -> BackboneRecipe:
        """The recipe of a configuration."""
        own = network_input(config, spec)
        return BACKBONES[str(config["backbone"])].recipe(
            outputs=spec.outputs, image=own.shape, stages=int(config["stages"]), tuned=int(config["tuned"])
        )

    def initial_designs(self, spec: DataSpec) -> list[Config]:
        """For each backbone: only the last layer trained, all of it trained; then larger images, its first stages, fewer channels."""
        names, large = image_input(spec).pretrained, nearest_side(image_input(spec), LARGE_SIDE)
        designs: list[Config] = [{"model.backbone": name, "model.tuned": tuned} for tuned in (0, EVERY_STAGE) for name in names]
        designs += [{"model.backbone": name, "model.tuned": 0, "model.side": large} for name in names]
        for ratio in (0.0, 0.5):
            for name in names:
                stages = BACKBONES[name].stages - 2
                designs.append({"model.backbone": name, "model.stages": stages, "prune.ratio": ratio})
        return designs

    def train_plan(self, spec: DataSpec) -> TrainPlan:
        """A plan by empirical rules: far fewer epochs than from scratch, and a lower learning rate."""
        rows = spec.train
        batch = 32 if rows < LARGE else 64
        epochs = 15 if rows < SMALL else 10 if rows < LARGE else 6
        augment = ImageAugmentation()
        return TrainPlan(epochs=epochs, batch_size=batch, lr=1e-3, weight_decay=2e-2, label_smoothing=0.1, augment=augment)

    def build(self, recipe: BackboneRecipe) -> nn.Module:
        """The network, newly initialised; `start` loads the published weights."""
        from .network import build_backbone

        return build_backbone(recipe)

    def start(self, network: Any, data: Any, wait: Callable[[], None]) -> None:
        """Load the published weights that are with the data into a newly built network, and solve its last layer, in place.

        Training then starts from good answers and does not distort the published weights first (Kumar et al., Fine-Tuning can
        Distort Pretrained Features, ICLR 2022).
        """
        from .start import solve_last_layer
        from .weights import load_weights

        load_weights(network, copied_weights(Path(data.spec.folder), network.recipe.backbone))
        solve_last_layer(network, data, wait)

    def solve(self, recipe: BackboneRecipe, data: Any, wait: Callable[[], None]) -> nn.Module | None:
        """The published network with a solved last layer, if only that layer is trained; else None."""
        if recipe.tuned:
            return None
        network = self.build(recipe)
        self.start(network, data, wait)
        return network

    def for_inference(self, network: Any) -> None:
        """Nothing: the network needs no changes."""
        del network
