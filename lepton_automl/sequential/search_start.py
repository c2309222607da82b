"""A search that begins at a built network: its layers, with widths, the learning rate and the pruning ratio to vary."""

from __future__ import annotations

from typing import Any

from lepton_automl import families
from lepton_automl.errors import Complaints, ConfigError
from lepton_automl.family import family_named
from lepton_automl.layers import SequentialRecipe, layer_names, layers_to_text
from lepton_automl.space import Categorical, Hyperparameter, Setting
from lepton_automl.specs import DataSpec

from .model import Model

FAMILY: str = SequentialRecipe.family
LAYERS, WIDTH = (
    "model.layers",
    "model.width",
)  # hyperparameters of the family; each of the first layers has a `model.width<number>`
MAKE_FIX = "Pass a Model or a LeptonNet that has layers and ends with a dense one."


def check_start(start: Any, complaints: Complaints) -> None:
    """Check what a search is to begin at."""
    if not isinstance(start, Model):
        complaints.add(f"start is a {type(start).__name__}", MAKE_FIX)
    elif not start.layers or start.layers[-1].kind != "dense":
        complaints.add("the network of start has no dense layer at its end", MAKE_FIX)


def start_changes(start: Model, spec: DataSpec) -> dict[str, Hyperparameter | Setting]:
    """What pins the search space of the family to the layers of a network.

    Args:
        start: The network; it need not be trained.
        spec: The data.

    Raises:
        ConfigError: The network does not fit the data.
    """
    units, name = start.layers[-1].width, layer_names(start.layers)[-1]
    if spec.outputs != units and (spec.outputs, units) != (2, 1):  # one unit is enough for two classes
        what = f"it has {units} units, and the data need {spec.outputs} outputs"
        raise ConfigError(what, where=name, fix=f"Start from a network that ends with add_dense({spec.outputs}).")
    hidden = start.layers[:-1]
    text, widths = layers_to_text(hidden), sum(layer.width > 0 for layer in hidden)
    changes: dict[str, Hyperparameter | Setting] = {LAYERS: Categorical(text, default=text)}
    own = (name for name in family_named(FAMILY).space(spec) if name.startswith(WIDTH) and name != WIDTH)
    changes |= {name: 1.0 for number, name in enumerate(own) if number >= widths or widths == 1}
    changes |= {} if widths else {WIDTH: 1.0}
    space = families.space_for(spec, (FAMILY,)).restrict(changes)
    _ = families.draw(families.room(space.defaults, "model"), spec).macs  # raises if the layers do not fit
    return changes
