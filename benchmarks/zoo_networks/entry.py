"""The list of networks: name, rows, and how each is made."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

Make = Callable[[], nn.Module]
M = TypeVar("M", bound=Make)
_ENTRIES: list[Entry] = []


@dataclass(frozen=True)
class Entry:
    """One network.

    Args:
        name: What is particular to it.
        rows: A name of `rows.KINDS`: what its forward pass takes.
        make: Makes it, untrained.
    """

    name: str
    rows: str
    make: Make


def network(name: str, rows: str = "digits") -> Callable[[M], M]:
    """Register a class or function without arguments that makes a network; see `Entry`."""

    def register(make: M) -> M:
        _ENTRIES.append(Entry(name, rows, make))
        return make

    return register


def all_networks() -> list[Entry]:
    """Every network of this package, in the order of its files."""
    package = importlib.import_module(__package__)
    for module in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"{__package__}.{module}")
    return list(_ENTRIES)
