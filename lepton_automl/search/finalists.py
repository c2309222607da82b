"""The protocol for processing the models of the front after the trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from lepton_automl.events import Event


class Finalists(Protocol):
    """Processes the models of the front after the trials."""

    def seconds(self) -> float:
        """Current estimate of the seconds that this takes."""

    def __call__(self, on_tick: Callable[[], None], until: Callable[[], float | None]) -> Iterator[Event]:
        """Process the models, one event each.

        Args:
            on_tick: Called several times a second.
            until: Gives the current deadline, by the executor's clock; None for no limit.
        """


class NoFinalists:
    """Does nothing."""

    def seconds(self) -> float:
        """Zero."""
        return 0.0

    def __call__(self, on_tick: Callable[[], None], until: Callable[[], float | None]) -> Iterator[Event]:  # noqa: ARG002  # the protocol
        """No events."""
        return iter(())
