"""What `lean`, `accelerate` and a search get of a built network, and what `lean` gives back."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from torch import nn

from lepton_automl.errors import Complaints, ConfigError
from lepton_automl.models.sequential import RowsNet
from lepton_automl.pipelines.accelerated_model import Finish
from lepton_automl.pipelines.lean import LeanModel

from .history import History
from .model import Model


def as_module(model: Any, data: Any, validation: Any, where: str) -> tuple[Any, Any, Any]:
    """The torch module of a network, and the data in its form; those of anything but a `Model` are returned as they are.

    Args:
        model: The network.
        data: Rows and targets; None for those of the last `fit` of a `Model`.
        validation: Further ones to score on, or None.
        where: The function that was called, for errors.

    Raises:
        ConfigError: There are no data, or they do not fit the network.
    """
    if not isinstance(model, Model):
        if data is None:
            raise ConfigError("there are no data", where=where, fix="Pass (x, y), or a Dataset or DataLoader of such pairs.")
        return model, data, validation
    complaints = Complaints(where)
    module = model.module
    if data is None and model.rows is None:
        complaints.add("there are no data: the network was loaded, not trained.", "Pass (x, y).")
    found = model.rows if data is None else _read(model, data, "data", complaints)
    held_out = None if validation is None else _read(model, validation, "validation", complaints)
    complaints.raise_any()
    return module, found, held_out


def _read(model: Model, data: Any, name: str, complaints: Complaints) -> Any:
    if isinstance(data, tuple | list) and len(data) == 2:
        return model.pairs((data[0], data[1]), (f"x of {name}", f"y of {name}"), complaints)
    return data  # a Dataset or a DataLoader


def pruned(model: Any, result: LeanModel[Any]) -> LeanModel[Any]:
    """The result of `lean` with a `Model` again, if it got one."""
    return dataclasses.replace(result, model=with_network(model, result.model)) if isinstance(model, Model) else result


def finish_of(model: Any) -> Finish:
    """What turns the outputs of a network's module into what its `predict` answers."""
    if not isinstance(model, Model) or model.compiled is None:
        return ""
    return {"classes": "softmax", "two classes": "second", "number": ""}[model.compiled.answer]  # type: ignore[return-value]  # the values are literals


def with_network(model: Model, net: RowsNet) -> Model:
    """A copy of a built network with another module, of which the layers are as wide or narrower.

    Args:
        model: It is left unchanged.
        net: The module; its recipe is set to its own widths.
    """
    network = net.network
    widths = {name: _width(network.layers.get_submodule(name)) for name in network.recipe.widths}
    network.recipe = network.recipe.with_widths(widths)
    pruned = copy.copy(model)
    pruned.net, pruned.history = net.eval(), History()
    pruned.layers = [*network.recipe.layers, model.layers[-1]]
    return pruned


def _width(layer: nn.Module) -> int:
    return int(layer.out_channels if isinstance(layer, nn.Conv2d) else layer.out_features)  # type: ignore[arg-type]  # a Linear else
