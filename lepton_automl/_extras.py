"""Optional dependencies: asked for by name, with the command that brings them."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from .errors import ExtraError


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency.

    Args:
        module: The module to import, such as `"openvino"`.
        extra: The extra of this package that brings it.

    Raises:
        ExtraError: It is not installed; the message holds the command to run.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ExtraError(f"{module} is not installed", fix=f"pip install 'lepton-automl[{extra}]'") from error
