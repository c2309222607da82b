"""What is done with the models of the front when the trials are over, as the loop sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from lepton_automl.events import Event


class Finalists(Protocol):
    """What is done with the models of the front when the trials are over."""

    def seconds(self) -> float:
        """How long that will take, as far as is known by now."""

    def __call__(self, on_tick: Callable[[], None], until: Callable[[], float | None]) -> Iterator[Event]:
        """Do it, an event each.

        Args:
            on_tick: Called a few times a second.
            until: When to have ended, by the executor's clock, as things stand; None for no limit.
        """


class NoFinalists:
    """Nothing is done."""

    def seconds(self) -> float:
        """None."""
        return 0.0

    def __call__(self, on_tick: Callable[[], None], until: Callable[[], float | None]) -> Iterator[Event]:  # noqa: ARG002  # as asked
        """No event."""
        return iter(())
