"""Searches neural networks for your data and your device, from the most accurate to the fastest.

The names listed here are the public interface. They load on first use, so that importing the package is fast and does not
import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import AutoML
    from .errors import BundleError, ConfigError, DataError, ExtraError, LeptonError, LimitError, StudyError
    from .estimators import LeptonClassifier, LeptonRegressor
    from .loading import load_model
    from .networks import accelerate, lean, load_accelerated
    from .notebook import builder
    from .objective import CustomMetric, Objective
    from .sequential.model import Model
    from .source import SqlQuery
    from .space import Categorical, Float, Hyperparameter, Integer
    from .specs import Budget, DataSpec, Deployment
    from .study.model import StudyModel
    from .study.registry import Registry
    from .study.study import Study, open_study

__version__ = "0.1.0"

_MODULES = {
    "AutoML": "api",
    "LeptonClassifier": "estimators",
    "LeptonRegressor": "estimators",
    "accelerate": "networks",
    "builder": "notebook",
    "lean": "networks",
    "load_accelerated": "networks",
    "Study": "study.study",
    "open_study": "study.study",
    "StudyModel": "study.model",
    "load_model": "loading",
    "Model": "sequential.model",
    "Registry": "study.registry",
    "Budget": "specs",
    "DataSpec": "specs",
    "Deployment": "specs",
    "Objective": "objective",
    "SqlQuery": "source",
    "CustomMetric": "objective",
    "Hyperparameter": "space",
    "Categorical": "space",
    "Float": "space",
    "Integer": "space",
    "LeptonError": "errors",
    "ConfigError": "errors",
    "DataError": "errors",
    "LimitError": "errors",
    "StudyError": "errors",
    "BundleError": "errors",
    "ExtraError": "errors",
}

__all__ = [
    "AutoML",
    "Budget",
    "BundleError",
    "Categorical",
    "ConfigError",
    "CustomMetric",
    "DataError",
    "DataSpec",
    "Deployment",
    "ExtraError",
    "Float",
    "Hyperparameter",
    "Integer",
    "LeptonClassifier",
    "LeptonError",
    "LeptonRegressor",
    "LimitError",
    "Model",
    "Objective",
    "Registry",
    "SqlQuery",
    "Study",
    "StudyError",
    "StudyModel",
    "accelerate",
    "builder",
    "lean",
    "load_accelerated",
    "load_model",
    "open_study",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
