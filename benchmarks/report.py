"""A benchmark's results, and how they are printed."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of a benchmark.

    Args:
        name: A short name.
        value: The number; the median if there are several samples.
        unit: Its unit; empty for a ratio or a count.
        spread: Lower and upper quartile of the samples, if there are several.
        target: The required value as text, such as `"<= 1.10"`; empty for none.
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
    """The results of a benchmark run.

    Args:
        figures: The figures.
        notes: Notes for the reader, one sentence each.
    """

    figures: list[Figure]
    notes: list[str] = field(default_factory=list)

    def table(self) -> str:
        """The figures as readable text."""
        rows = [("figure", "value", "quartiles", "target"), *map(_row, self.figures)]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, *(f"* {note}" for note in self.notes)])

    def line(self, name: str, settings: dict[str, Any]) -> str:
        """The figures as one line of JSON."""
        figures = {figure.name: figure.value for figure in self.figures}
        return json.dumps({"benchmark": name, "settings": settings, "figures": figures})


def _row(figure: Figure) -> tuple[str, str, str, str]:
    spread = " to ".join(f"{edge:.4g}" for edge in figure.spread) if figure.spread else ""
    return figure.name, f"{figure.value:.4g} {figure.unit}".rstrip(), spread, figure.target
