"""How long an acceleration may take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class TimeAllowance:
    """How long a step may take, from the moment that this is made.

    Args:
        seconds: The time; infinite for no limit.
        now: The clock, in seconds.
    """

    seconds: float = math.inf
    now: Callable[[], float] = time.monotonic
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_began", self.now())

    def within(self, share: float, items: Iterable[Item]) -> Iterator[Item]:
        """The items for as long as less than this share of the time is used; none is made later."""
        source = iter(items)
        while self.now() - self._began < share * self.seconds:
            try:
                item = next(source)
            except StopIteration:
                return
            yield item
