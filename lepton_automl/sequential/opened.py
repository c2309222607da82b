"""Opens a built network that was saved."""

from __future__ import annotations

import json
from pathlib import Path

from lepton_automl._json import conforms
from lepton_automl.errors import BundleError
from lepton_automl.models.files import RECIPE, WEIGHTS, load_by
from lepton_automl.models.sequential import RowsNet, SequentialNet, build_sequential
from lepton_automl.recipe import Recipe

from .compiled import LOSSES
from .model import Model
from .saved import NETWORK, Saved


def load(folder: Path) -> Model:
    """The network that `save` wrote.

    Raises:
        BundleError: A file is missing, damaged, or does not fit the others.
    """
    try:
        data = json.loads((folder / NETWORK).read_text(encoding="utf-8"))
        if not conforms(Saved, data) or data["compiled"]["loss"] not in LOSSES:
            raise ValueError("its settings are incomplete")
        saved = Saved.from_json(data)
        network = load_by(folder, _build)
        model = Model(saved.shape, seed=saved.seed)
    except BundleError:
        raise
    except Exception as error:
        fix = f"It needs {NETWORK}, {RECIPE} and {WEIGHTS} as save() wrote them."
        raise BundleError(f"{NETWORK} cannot be read: {error}", where=str(folder), fix=fix) from error
    model.layers = [*network.recipe.layers, saved.last]
    model.compiled, model.epochs = saved.compiled, saved.epochs
    two_classes = saved.compiled.answer == "two classes"
    model.net = RowsNet(network, two_classes=two_classes, mean=saved.mean, scale=saved.scale).eval()
    return model


def _build(recipe: Recipe) -> SequentialNet:
    return build_sequential(recipe)  # type: ignore[arg-type]  # a recipe of another family has no layers: an error, and reported
