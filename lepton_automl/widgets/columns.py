"""The columns of the table of trials: their order, their titles, and numbers with the same digits in each row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lepton_automl.reporting.cost_axes import KILO
from lepton_automl.reporting.labels import clean
from lepton_automl.reporting.latency import in_unit, latency_unit
from lepton_automl.reporting.tables import Row, other_objectives
from lepton_automl.state import StudyState

from .cells import cell, missing

THEN = ("epochs", "seconds", "origin")


@dataclass(frozen=True)
class Column:
    """A column.

    Args:
        name: Its name in `study.trials`.
        title: Its title.
        number: Whether it holds numbers, which are aligned right.
        show: The text of a value; missing values have none.
        cost: Whether a lower value is better.
    """

    name: str
    title: str
    number: bool
    show: Callable[[Any], str]
    cost: bool = False

    def text(self, value: Any) -> str:
        """The text of a cell."""
        return "" if missing(value) else self.show(value)


def table_columns(state: StudyState, rows: list[Row]) -> list[Column]:
    """The columns that are shown.

    Args:
        state: The study.
        rows: All rows of `trial_table`.
    """
    metric, less = state.settings.metric, state.settings.objectives[0].direction == "minimize"
    tested = [f"test_{metric}"] if state.tested else []
    costs = [goal.name for goal in other_objectives(state)]
    names = ["trial", "status", metric, *tested, "latency_ms", "size_bytes", "parameters", *costs, *THEN]
    names += [name for name in (rows[0] if rows else {}) if "." in name] + ["network", "reason"]
    unit = latency_unit([row["latency_ms"] for row in rows if not missing(row["latency_ms"])])
    digits = 1 if unit == "µs" else 3

    def column(name: str) -> Column:
        if name in {metric, *tested}:
            return Column(name, clean(name.replace("test_", "test "), 40), True, lambda value: f"{value:.4f}", cost=less)
        if name == "latency_ms":
            title = f"latency, {unit}"
            return Column(name, title, True, lambda value: f"{in_unit(value, unit):,.{digits}f}", cost=True)
        if name == "size_bytes":
            return Column(name, "size, kB", True, lambda value: f"{value / KILO:,.1f}", cost=True)
        if name == "seconds":
            return Column(name, name, True, lambda value: f"{value:,.1f}", cost=True)
        return Column(name, clean(name, 40), _numbers(row.get(name) for row in rows), cell, cost=name in costs)

    return [column(name) for name in names]


def _numbers(values: Iterable[Any]) -> bool:
    """Whether all known values are numbers."""
    known = [value for value in values if not missing(value)]
    return bool(known) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
