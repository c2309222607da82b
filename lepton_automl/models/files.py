"""A network on disk: `recipe.json` and `model.safetensors`, without pickle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lepton_automl.errors import BundleError
from lepton_automl.recipe import Recipe, recipe_from_json

from .build import RecipeNet, build
from .custom import CustomNet

Network = TypeVar("Network", bound=RecipeNet | CustomNet)
RECIPE, WEIGHTS = "recipe.json", "model.safetensors"


def save(model: RecipeNet | CustomNet, folder: Path) -> None:
    """Write a network into a folder, creating it if necessary; a user-defined network's weights keep their module's names."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECIPE).write_text(json.dumps(model.recipe.to_json(), indent=1), encoding="utf-8")
    # Each tensor is contiguous and owns its memory: the file format supports neither strides nor shared memory.
    weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in _inner(model).state_dict().items()}
    save_file(weights, folder / WEIGHTS)


def load(folder: Path) -> RecipeNet:
    """Return the network that `save` wrote, in evaluation mode, on the CPU.

    Raises:
        BundleError: A file is missing, damaged, or does not fit the recipe.
    """
    return load_by(folder, build)


def load_by(folder: Path, make: Callable[[Recipe], Network]) -> Network:
    """As `load`, with the function that builds a network from its recipe."""
    try:
        recipe = recipe_from_json(json.loads((folder / RECIPE).read_text(encoding="utf-8")))
        weights: dict[str, torch.Tensor] = load_file(folder / WEIGHTS)
        model = make(recipe)
        _inner(model).load_state_dict(weights)
    except Exception as error:
        what = f"the network cannot be read: {error}"
        raise BundleError(what, where=str(folder), fix=f"It needs {RECIPE} and {WEIGHTS} as `save` wrote them.") from error
    model.eval()
    return model


def _inner(model: RecipeNet | CustomNet) -> nn.Module:
    return model.module if isinstance(model, CustomNet) else model
