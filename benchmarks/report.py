"""What a benchmark found, and how it is printed."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number that a benchmark is run for.

    Args:
        name: Short, for machines and people.
        value: The number; a median where there are several samples.
        unit: Its unit; empty for a ratio or a count.
        spread: Lower and upper quartile of the samples, where there are several.
        target: What it should be, in words, such as `"<= 1.10"`; empty for none.
    """

    name: str
    value: float
    unit: str = ""
    spread: tuple[float, float] | None = None
    target: str = ""

    @classmethod
    def of(cls, name: str, samples: Sequence[float], *, unit: str = "", target: str = "") -> Figure:
        """The median of some samples, with their quartiles."""
        spread = None
        if len(samples) > 1:
            low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
            spread = (low, high)
        return cls(name=name, value=statistics.median(samples), unit=unit, spread=spread, target=target)


@dataclass(frozen=True, kw_only=True)
class Result:
    """All that a run of a benchmark found.

    Args:
        figures: The numbers.
        notes: What a reader should know, a sentence each.
    """

    figures: list[Figure]
    notes: list[str] = field(default_factory=list)

    def table(self) -> str:
        """The figures for people."""
        rows = [("figure", "value", "quartiles", "target"), *map(_row, self.figures)]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, *(f"* {note}" for note in self.notes)])

    def line(self, name: str, settings: dict[str, Any]) -> str:
        """The figures for machines: one line of JSON."""
        figures = {figure.name: figure.value for figure in self.figures}
        return json.dumps({"benchmark": name, "settings": settings, "figures": figures})


def _row(figure: Figure) -> tuple[str, str, str, str]:
    spread = " to ".join(f"{edge:.4g}" for edge in figure.spread) if figure.spread else ""
    return figure.name, f"{figure.value:.4g} {figure.unit}".rstrip(), spread, figure.target
