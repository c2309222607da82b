"""The list of networks: the name, the rows and the constructor of each."""

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
        name: A unique name that describes it.
        rows: A key of `rows.KINDS`: the input of its forward pass.
        make: Builds it, untrained.
    """

    name: str
    rows: str
    make: Make


def network(name: str, rows: str = "digits") -> Callable[[M], M]:
    """Register a class or function without arguments that builds a network; see `Entry`."""

    def register(make: M) -> M:
        _ENTRIES.append(Entry(name, rows, make))
        return make

    return register


def all_networks() -> list[Entry]:
    """Every network of this package, in the order of its files."""
    import_all(__package__)
    return list(_ENTRIES)
