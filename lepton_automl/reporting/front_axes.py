"""The axes of the front: zoomed to it, with error on a logarithm and latency in the unit that fits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lepton_automl.objective import Objective
from lepton_automl.state import StudyState
from lepton_automl.task import task_of
from lepton_automl.trial import Trial

from .cost_axes import LATENCY, CostAxis
from .labels import label
from .latency import in_unit, latency_unit
from .narrative import PER_CENT
from .narrative import metric as metric_name
from .tables import last_score
from .theme import even_ticks, linear_ends, log_ends, log_ticks, score_axis

NEAR = 2.0  # points within this factor of the front are in view; others are beyond the edge, where panning reaches them
CLOSE = 1.3  # ratio of two ticks whose labels would overlap
PERFECT = 0.5  # rows that a model without an error is drawn at: zero has no logarithm


@dataclass(frozen=True, kw_only=True)
class ErrorAxis:
    """What is drawn upwards: an error on a logarithm, or the score itself if it has no such error.

    Args:
        kind: `"complement"` for 1 minus a share, `"error"` for a score of which less is better, `"score"` for others.
        floor: What a zero is drawn at.
        metric: The name of the score.
        title: Its name on the axis.
    """

    kind: str
    floor: float
    metric: str
    title: str

    @property
    def log(self) -> bool:
        """Whether the axis is logarithmic."""
        return self.kind != "score"

    def value(self, score: float) -> float:
        """The position of a score."""
        error = 1.0 - score if self.kind == "complement" else score
        return max(error, self.floor) if self.log else error

    def show(self, value: float) -> str:
        """A position as text: in per cent for scores that are shown so."""
        number = 0.0 if self.log and value <= self.floor else value
        return f"{100 * number:.6g} %" if self.metric in PER_CENT else f"{number:g}"


def error_axis(state: StudyState) -> ErrorAxis:
    """The axis for the study's metric, judged by its direction and by the scores so far."""
    name, goal, data = state.settings.metric, state.settings.objectives[0], state.settings.data
    known = task_of(data).metrics.get(name)
    scores = [score for trial in state.trials.values() if (score := last_score(state, trial)) is not None]
    share = known is not None and known.unit == "share" and all(score <= 1 for score in scores)
    floor = PERFECT / max(1, data.validation or data.train)
    shown = label(metric_name(state))
    if share and goal.direction == "maximize":
        title = f"error: 1 − {shown} (lower is better)"
        return ErrorAxis(kind="complement", floor=floor, metric=name, title=title)
    positive, title = [score for score in scores if score > 0], f"{shown} ({better(goal)})"
    if goal.direction == "minimize" and len(positive) == len(scores):
        return ErrorAxis(kind="error", floor=min(positive, default=1.0) / 10, metric=name, title=title)
    return ErrorAxis(kind="score", floor=-math.inf, metric=name, title=title)


def up(state: StudyState, axis: ErrorAxis, view: Sequence[float], everything: Sequence[float]) -> dict[str, Any]:
    """The vertical axis.

    Args:
        state: The study.
        axis: What is drawn.
        view: The positions that must be in view.
        everything: All positions.
    """
    if not axis.log or not everything:
        shown = score_axis(state.settings.metric, state.settings.data, view)
        return {**shown, "title": {"text": axis.title}}
    ticks = [tick for tick in _ticks(view, everything) if tick <= 1 or axis.kind != "complement"]
    ticks = with_zero(axis, ticks, everything)
    low, high = log_ends(view)
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": ticks,
        "ticktext": [axis.show(tick) for tick in ticks],
        "title": {"text": axis.title},
    }


def with_zero(axis: ErrorAxis, ticks: Sequence[float], values: Sequence[float]) -> list[float]:
    """Ticks with one for zero, if a value is zero and so is drawn at the axis's floor."""
    if not axis.log or min(values) > axis.floor:
        return list(ticks)
    return sorted([axis.floor, *(tick for tick in ticks if tick > CLOSE * axis.floor)])


def across(axis: CostAxis, view: Sequence[float], everything: Sequence[float]) -> dict[str, Any]:
    """The horizontal axis, without its title.

    Args:
        axis: The cost.
        view: The values that must be in view.
        everything: All values.
    """
    if axis.name != LATENCY and not axis.log:
        return {"range": list(linear_ends(view))} if view else {"autorange": True}
    ticks, (low, high) = _ticks(view, everything), log_ends(view)
    unit = latency_unit([high]) if axis.name == LATENCY else ""
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": ticks,
        "ticktext": [f"{in_unit(tick, unit):.6g}" for tick in ticks],
    }


def in_view(front: Sequence[float], others: Iterable[float]) -> list[float]:
    """The values that an axis shows: the front's, and those within a factor of it; all where there is no front."""
    rest = [value for value in others if math.isfinite(value)]
    known = [value for value in front if math.isfinite(value)]
    if not known:
        return rest
    low, high = min(known), max(known)
    return [*known, *(value for value in rest if low / NEAR <= value <= high * NEAR)]


def finite_costs(axis: CostAxis, trials: Iterable[Trial]) -> list[float]:
    """The known costs of trials."""
    return [value for trial in trials if math.isfinite(value := axis.value(trial))]


def better(goal: Objective) -> str:
    """Which values of an objective are better, in words."""
    return "higher is better" if goal.direction == "maximize" else "lower is better"


def _ticks(view: Sequence[float], everything: Sequence[float]) -> list[float]:
    """Ticks for the view, and coarser ones beyond it, where the reader may pan or zoom to."""
    low, high = log_ends(view)
    inside = log_ticks(low, high)
    if len(inside) < 2:
        inside = even_ticks(low, high)
    all_low, all_high = log_ends([*everything, *view])
    beyond = [tick for tick in log_ticks(all_low / 10, all_high * 10) if tick < low or tick > high]
    return sorted({*inside, *beyond})
