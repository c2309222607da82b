"""Names to things, filled by the rooms that own them and by plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from .errors import ConfigError, one_of

T = TypeVar("T")


class Registry(Generic[T]):
    """A table of named plug-ins of one kind.

    A package adds its own by an entry point in the group `lepton_automl.<kind>`; they are loaded on first need.

    Args:
        kind: What the names name, in one word ("family", "metric"); errors say it.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, T] = {}
        self._searched = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator: put a thing under a name."""

        def put(thing: T) -> T:
            self._things[name] = thing
            return thing

        return put

    def __getitem__(self, name: str) -> T:
        if name not in self._things:
            self._search()
        if name not in self._things:
            raise ConfigError(f"there is no {self.kind} {name!r}", fix=one_of(name, self))
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        self._search()
        return iter(sorted(self._things))

    def __contains__(self, name: object) -> bool:
        return name in list(self)

    def _search(self) -> None:
        if not self._searched:
            self._searched = True
            for point in entry_points(group=f"lepton_automl.{self.kind}"):
                self._things.setdefault(point.name, point.load())
