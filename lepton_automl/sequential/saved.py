"""A built network on disk: `network.json` beside the recipe and the weights, without pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lepton_automl._json import Value
from lepton_automl.errors import ConfigError
from lepton_automl.layers import Layer
from lepton_automl.models.files import save as save_network

from .compiled import Compiled

if TYPE_CHECKING:
    from .model import Model

NETWORK = "network.json"


@dataclass(frozen=True, kw_only=True)
class Saved(Value):
    """What `network.json` holds.

    Args:
        compiled: How the network is trained and scored.
        last: The last layer, with its activation.
        shape: The shape of one row, channels last.
        mean: Added to the outputs of a regression after scaling.
        scale: Factor of these outputs.
        epochs: Epochs that it was trained for.
        seed: The seed.
    """

    compiled: Compiled
    last: Layer
    shape: tuple[int, ...]
    mean: float = 0.0
    scale: float = 1.0
    epochs: int = 0
    seed: int = 0


def save(model: Model, folder: Path) -> Path:
    """Write a network into a new or empty folder.

    Raises:
        ConfigError: The folder cannot be used, or the network has no weights yet.
    """
    net, settings = model.module, model.compiled
    assert settings is not None
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "is not empty" if folder.is_dir() else "is a file"
        raise ConfigError(f"{folder} {what}", where="save", fix="Give a new folder.")
    saved = Saved(
        compiled=settings,
        last=model.layers[-1],
        shape=model.input_shape,
        mean=net.mean,
        scale=net.scale,
        epochs=model.epochs,
        seed=model.seed,
    )
    try:
        save_network(net.network, folder)
        (folder / NETWORK).write_text(json.dumps(saved.to_json(), indent=1), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error}", where="save", fix="Give another folder.") from error
    return folder
