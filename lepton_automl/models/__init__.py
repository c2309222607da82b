"""Networks: built from recipes, saved, loaded and made deployable. `LeptonNet` and `Model` are found here as well."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .build import RecipeNet, build
from .deployable import deployable
from .files import load, save

if TYPE_CHECKING:
    from lepton_automl.sequential.lepton_net import LeptonNet
    from lepton_automl.sequential.model import Model

__all__ = ["LeptonNet", "Model", "RecipeNet", "build", "deployable", "load", "save"]

_ELSEWHERE = {"LeptonNet": "lepton_automl.sequential.lepton_net", "Model": "lepton_automl.sequential.model"}


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ELSEWHERE[name]), name)  # at its first use: training is above the networks
