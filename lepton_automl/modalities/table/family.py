"""Networks for tables: search space, recipes and initial designs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from lepton_automl.family import even
from lepton_automl.modalities.table.recipe import TableRecipe
from lepton_automl.plans import TrainPlan
from lepton_automl.space import Categorical, Config, Float, Hyperparameter, Integer, Space
from lepton_automl.specs import DataSpec

from .spec import TableInput, table_input

if TYPE_CHECKING:
    from torch import nn


class TableFamily:
    """Networks for tables: embeddings, a trunk, an ensemble of heads."""

    name = "table"
    Recipe = TableRecipe
    fastest: ClassVar[Config] = {"model.embedding": "linear", "model.heads": 1}

    def accepts(self, spec: DataSpec) -> bool:
        """Whether the data are a table; any columns are accepted."""
        return isinstance(spec.input, TableInput)

    def space(self, spec: DataSpec) -> Space:
        """Hyperparameters of embeddings, trunk and heads, and of training."""
        return table_space(spec)

    def recipe(self, config: Config, spec: DataSpec) -> TableRecipe:
        """The recipe of a configuration."""
        return table_recipe(config, spec)

    def initial_designs(self, spec: DataSpec) -> list[Config]:
        """Designs that are fast and accurate come first."""
        del spec
        return DESIGNS

    def train_plan(self, spec: DataSpec) -> TrainPlan:
        """A plan by empirical rules.

        Small datasets get small batches, as an epoch would otherwise have too few steps; large ones need fewer epochs.
        """
        rows = spec.train
        batch = min(512, max(64, 2 ** round(math.log2(max(rows, 2) / 40))))
        epochs = min(120, max(24, round(2_700 / max(1, rows // batch))))
        return TrainPlan(epochs=epochs, batch_size=batch, lr=1.5e-2, weight_decay=1e-2, beta2=0.99)

    def build(self, recipe: TableRecipe) -> nn.Module:
        """The network."""
        from .network import TableNet

        return TableNet(recipe)

    def start(self, network: Any, data: Any, wait: Callable[[], None]) -> None:
        """Start a network with a skip as the solved linear model: its other part begins with outputs of zero."""
        from torch.nn.init import zeros_

        from lepton_automl.training.solve import fit_head

        if network.skip is not None:
            fit_head(network.skip.linear, network.skip.features, data.train.inputs, data.train.targets, data.spec, wait=wait)
            zeros_(network.head.weight)
            zeros_(network.head.bias)

    def for_inference(self, network: Any) -> None:
        """Merge layers of the embedding where that is faster, and drop the axis of a single member."""
        from torch.nn import Identity

        from .flatten import flatten

        flatten(network)
        if network.recipe.heads == 1:
            network.ensemble, network.finish = False, Identity()


def table_space(spec: DataSpec) -> Space:
    """Every hyperparameter, by prefixed name."""
    hyperparameters: dict[str, Hyperparameter] = {
        "model.kind": Categorical("mlp", "resnet", default="mlp"),
        "model.width": Integer(16, 256, default=128, log=True),
        "model.depth": Integer(1, 4, default=3),
        "model.heads": Categorical(1, 2, 4, 8, 16, default=4),
        "model.dropout": Float(0.0, 0.4, default=0.1),
        "model.skip": Categorical(False, True, default=False),
        "train.lr": Float(3e-3, 5e-2, default=1.5e-2, log=True),
        "train.weight_decay": Float(1e-3, 3e-1, default=1e-2, log=True),
    }
    if table_input(spec).numeric > table_input(spec).plain:
        hyperparameters["model.embedding"] = Categorical("linear", "piecewise", "periodic", default="periodic")
        hyperparameters["model.frequency"] = Float(0.5, 3.0, default=2.0)
        hyperparameters["model.bins"] = Integer(8, 32, default=16)
        hyperparameters["model.embedded"] = Categorical(8, 16, 24, default=16)
    if table_input(spec).cardinalities:
        hyperparameters["model.one_hot"] = Categorical(False, True, default=False)
    return Space(hyperparameters=hyperparameters)


def table_recipe(hyperparameters: Config, spec: DataSpec) -> TableRecipe:
    """A recipe from the `model.*` settings, given without their prefix."""
    embedding = str(hyperparameters.get("embedding", "linear"))
    linear = embedding == "linear"
    width, depth, residual = (
        even(float(hyperparameters["width"])),
        int(hyperparameters["depth"]),
        hyperparameters["kind"] == "resnet",
    )
    return TableRecipe(
        outputs=spec.outputs,
        numeric=table_input(spec).numeric,
        plain=table_input(spec).plain,
        cardinalities=table_input(spec).cardinalities,
        one_hot=bool(hyperparameters.get("one_hot", False)),
        embedding="linear" if linear else "piecewise" if embedding == "piecewise" else "periodic",
        frequency=float(hyperparameters["frequency"]) if embedding == "periodic" else 1.0,
        bins=0 if linear else int(hyperparameters["bins"]),
        embedded=0 if linear else int(hyperparameters["embedded"]),
        kind="resnet" if residual else "mlp",
        width=width,
        mids=(2 * width if residual else width,) * depth,
        heads=int(hyperparameters["heads"]),
        dropout=float(hyperparameters["dropout"]),
        skip=bool(hyperparameters.get("skip", False)),
    )


DESIGNS: list[Config] = [
    {
        "model.embedding": "linear", "model.one_hot": True, "model.depth": 1, "model.width": 32, "model.heads": 8,
        "model.dropout": 0.2, "train.lr": 8e-3,
    },
    {},
    {
        "model.embedding": "linear", "model.depth": 2, "model.width": 64, "model.heads": 8, "model.dropout": 0.2,
        "model.skip": True, "train.lr": 4e-3,
    },
    {"train.lr": 3e-2, "model.skip": True},
    {"model.frequency": 1.0},
    {"model.kind": "resnet", "model.depth": 2, "model.width": 96},
    {"model.embedding": "linear", "model.depth": 1, "model.width": 16, "model.heads": 1},
    {"model.heads": 1, "model.width": 64, "model.depth": 2},
    {"model.heads": 8, "model.width": 192, "model.embedded": 24, "model.bins": 24},
]  # fmt: skip
