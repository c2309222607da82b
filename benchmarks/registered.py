"""Registries that are filled when the files of a package are imported."""

from __future__ import annotations

import importlib
import pkgutil


def import_all(package: str) -> None:
    """Import every file of a package, in the order of names."""
    path = importlib.import_module(package).__path__
    for name in sorted(module.name for module in pkgutil.iter_modules(path)):
        importlib.import_module(f"{package}.{name}")
