"""The costs that a study's figures and tables show, and their labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lepton_automl.objective import Objective, known_costs
from lepton_automl.state import StudyState
from lepton_automl.trial import Trial

from .tables import Row, front_table, other_objectives

LATENCY, SIZE = "latency_ms", "size_bytes"
KILO = 1e3  # bytes are shown in kB
TITLES = {"latency_ms": "ms per call", "variant": "runs in"}


@dataclass(frozen=True)
class CostAxis:
    """A cost as shown on an axis, a colour bar or in a column.

    Args:
        objective: The declaration of the cost.
    """

    objective: Objective

    @property
    def name(self) -> str:
        """The name of the objective."""
        return self.objective.name

    @property
    def label(self) -> str:
        """The display name: `"peak memory"`."""
        return self.objective.title

    @property
    def unit(self) -> str:
        """The unit of the displayed values; empty if it only repeats the name."""
        unit = self.objective.unit
        return "kB" if unit == "bytes" else "" if unit == self.label else unit

    @property
    def title(self) -> str:
        """The display name with the unit: `"peak memory, kB"`."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    @property
    def log(self) -> bool:
        """Whether the axis is logarithmic."""
        return self.objective.scale == "log"

    def value(self, trial: Trial) -> float:
        """A trial's value in the displayed unit; NaN if it is not known."""
        return self.in_unit(trial.profile.value(self.name)) if trial.profile else math.nan

    def in_unit(self, value: float) -> float:
        """A value of the objective in the displayed unit."""
        return value / KILO if self.objective.unit == "bytes" else value

    def show(self, trial: Trial) -> str:
        """A trial's value with its unit; empty if it is not known."""
        value = self.value(trial)
        number = f"{value:,.1f}" if self.unit == "kB" else f"{value:,.0f}" if value >= KILO else f"{value:.4g}"
        return "" if math.isnan(value) else f"{number} {self.unit}".rstrip()


def other_costs(state: StudyState) -> list[CostAxis]:
    """The costs that are objectives, except latency, size and the number of parameters, which are always shown."""
    return [CostAxis(objective) for objective in other_objectives(state)]


def shown_front(state: StudyState) -> tuple[dict[str, str], list[Row]]:
    """Column titles that differ from their names, and the rows of `front_table` with sizes in kB."""
    costs = [CostAxis(known_costs()[SIZE]), *other_costs(state)]
    rows = [row | {cost.name: cost.in_unit(row[cost.name]) for cost in costs} for row in front_table(state)]
    return TITLES | {cost.name: cost.title for cost in costs}, rows


def front_axis(state: StudyState) -> CostAxis:
    """The cost on the horizontal axis of the front: latency if it is an objective, else the first cost that is one."""
    costs = _costs(state)
    return CostAxis(next((cost for cost in costs if cost.name == LATENCY), costs[0] if costs else known_costs()[LATENCY]))


def colour_axis(state: StudyState) -> CostAxis:
    """The cost that colours the points: the first other one that is an objective, else the size; of sizes, the latency."""
    across = front_axis(state).name
    usual = known_costs()[LATENCY if across == SIZE else SIZE]
    return CostAxis(next((cost for cost in _costs(state) if cost.name != across), usual))


def is_plane(state: StudyState) -> bool:
    """Whether the plot of the front shows every objective on its axes, so that a line can join the front."""
    return len(_costs(state)) < 2  # the score is on the other axis


def _costs(state: StudyState) -> list[Objective]:
    return [objective for objective in state.settings.objectives if not objective.is_score]
