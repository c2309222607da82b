"""What a search makes better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ._json import Value

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True, kw_only=True)
class Objective(Value):
    """One thing a search tries to make better.

    Args:
        name: `"score"` (the study's metric), `"latency_ms"` or `"size_bytes"`.
        direction: Whether more or less of it is better.
    """

    name: str
    direction: Direction

    def cost(self, value: float) -> float:
        """The value as something to minimise."""
        return -value if self.direction == "maximize" else value
