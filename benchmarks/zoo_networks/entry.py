"""The list of networks: name, rows, and how each is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from benchmarks.registered import import_all

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
    import_all(__package__)
    return list(_ENTRIES)
