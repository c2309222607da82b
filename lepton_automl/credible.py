"""The front of a study, and the part of it whose differences are credible.

A model that no other dominates may still differ from another one by less than its score or latency is known. The front lists a
model only where it is credibly better in something than each other listed model; the rest is merged into those.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from . import front
from .objective import Objective
from .resampled import paired_error

if TYPE_CHECKING:
    from .profile import Measurement
    from .state import StudyState
    from .trial import Trial

LATENCY = "latency_ms"
COST_MARGIN = 0.03  # share of a cost by which a model must be cheaper
ERRORS_MARGIN = 1.0  # standard errors of the paired difference by which its score must be better


class StudyFront:
    """The complete models of a study that no other dominates, best score first.

    Args:
        state: The study.
    """

    def __init__(self, state: StudyState) -> None:
        self._state = state
        self._models: list[Trial] = []
        self._split: tuple[list[Trial], dict[int, int]] | None = None

    @property
    def models(self) -> list[Trial]:
        """All of them."""
        return self._models

    @property
    def listed(self) -> list[Trial]:
        """Those that are credibly better in something than every other listed one, and the default choice."""
        return self._parts()[0]

    @property
    def merged(self) -> dict[int, int]:
        """The numbers of the others, each with the number of the listed model that it is merged into."""
        return self._parts()[1]

    def choice_changed(self) -> None:
        """List the model that is chosen now."""
        self._split = None

    def rebuild(self) -> None:
        """Compute the front again, after an artifact or a limit changed."""
        self._models, self._split = [], None
        for trial in self._state.trials.values():
            if trial.status == "complete":
                self.add(trial)

    def add(self, trial: Trial) -> None:
        """Add a complete trial if it is not dominated; of equal ones the first stays."""
        costs = self._costs(trial)
        if math.isnan(sum(costs)):
            return
        members = [(member, self._costs(member)) for member in self._models]
        if any(all(a <= b for a, b in zip(theirs, costs, strict=True)) for _, theirs in members):
            return
        kept = [(member, theirs) for member, theirs in members if not front.dominates(costs, theirs)]
        self._models = [member for member, _ in sorted([*kept, (trial, costs)], key=lambda pair: (*pair[1], pair[0].number))]
        self._split = None

    def _costs(self, trial: Trial) -> list[float]:
        return [goal.cost(self._state.value(trial, goal)) for goal in self._state.settings.objectives]

    def _parts(self) -> tuple[list[Trial], dict[int, int]]:
        if self._split is None:
            ended = self._state.ended
            chosen = self._state.trials.get(ended.chosen) if ended and ended.chosen is not None else None
            first = chosen or (self._state.choose() if self._models else None)
            self._split = merge(self._models, lambda a, b: is_credibly_better(self._state, a, b), first)
        return self._split


def merge(
    models: Sequence[Trial], better: Callable[[Trial, Trial], bool], first: Trial | None = None
) -> tuple[list[Trial], dict[int, int]]:
    """Split models into those to list and those that add nothing credible to them.

    A model covers another one that is not credibly better than it in anything. Models that no other strictly covers are listed
    first, with what they cover merged into them; then those that only merged models cover, and so on. So every merged model is
    covered by a listed one, and chains of small differences do not remove a model that differs credibly.

    Args:
        models: The models, best first.
        better: Whether the first of two models is credibly better than the second in any objective.
        first: A model that is listed in any case.

    Returns:
        The listed models, in the given order; and for each other one, by number, the number of the model that it is merged into.
    """
    numbers = range(len(models))
    wins = [[better(a, b) for b in models] for a in models]
    start = next((n for n in numbers if models[n] is first), None)
    remaining, listed, merged = list(numbers), list[int](), dict[int, int]()
    while remaining:
        free = (n for n in remaining if not any(wins[other][n] and not wins[n][other] for other in remaining))
        chosen = start if start is not None and not listed else next(free, remaining[0])
        covered = [n for n in remaining if n != chosen and not wins[n][chosen]]
        listed.append(chosen)
        merged |= {models[n].number: models[chosen].number for n in covered}
        remaining = [n for n in remaining if n != chosen and n not in covered]
    return [models[n] for n in sorted(listed)], merged


def is_credibly_better(state: StudyState, first: Trial, second: Trial) -> bool:
    """Whether a model is better than another one in some objective by more than its margin.

    The margins: one standard error of the paired difference of scores; 3 % of a cost, and the 95 % interval of the difference
    where the cost is the latency.
    """
    return any(_margin_exceeded(state, goal, first, second) for goal in state.settings.objectives)


def _margin_exceeded(state: StudyState, goal: Objective, first: Trial, second: Trial) -> bool:
    ours, theirs = state.value(first, goal), state.value(second, goal)
    gain = goal.cost(theirs) - goal.cost(ours)
    if not gain > 0:
        return False
    if goal.is_score:
        resampled = [trial.resampled.in_bag if trial.resampled else "" for trial in (first, second)]
        return gain > ERRORS_MARGIN * paired_error(*resampled)
    if goal.name == LATENCY and first.profile and second.profile:
        return math.log(theirs / ours) > max(
            math.log1p(COST_MARGIN), math.hypot(_spread(first.profile.latency), _spread(second.profile.latency))
        )
    return gain > COST_MARGIN * min(abs(ours), abs(theirs))


def _spread(latency: Measurement) -> float:
    """Half of the 95 % interval of a latency's logarithm."""
    if not 0 < latency.low <= latency.high:
        return 0.0
    return math.log(latency.high / latency.low) / 2
