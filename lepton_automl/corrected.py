"""The score of the chosen model, corrected for the fact that it was chosen as one of the best of many.

The best of many scores is the best partly by luck. On each bootstrap resample of the rows the choice is made again, and the
model chosen there is scored on the rows that the resample left out; the mean of these scores is the corrected one, and they
span its interval (bootstrap bias correction; Tsamardinos, Greasidou and Borboudakis, Bootstrapping the out-of-sample
predictions for efficient and accurate cross-validation, Machine Learning 107, 2018).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .choice import Candidate, as_good_as_best, candidate
from .objective import Direction
from .resampled import LEVELS, numbers, quantile

if TYPE_CHECKING:
    from .state import StudyState


@dataclass(frozen=True, kw_only=True)
class CorrectedScore:
    """A corrected score.

    It does not account for the epochs and thresholds of each model, which were chosen on the same rows.

    Args:
        score: What the default choice is expected to score on new rows.
        low: Lower end of its 95 % interval.
        high: Upper end of it.
        models: The number of models that were chosen from.
        kept: The share of the resamples on which the same model is chosen as on all rows.
    """

    score: float
    low: float
    high: float
    models: int
    kept: float


def corrected_score(state: StudyState) -> CorrectedScore | None:
    """The corrected score of the default choice; None if no complete model was scored on resamples."""
    models = (candidate(state, trial) for trial in state.trials.values() if trial.status == "complete")
    known = (model for model in models if model.in_bag and math.isfinite(model.score + model.cost))
    return corrected(tuple(known), state.settings.objectives[0].direction)


@functools.lru_cache(maxsize=16)  # a dashboard shows it again and again
def corrected(models: tuple[Candidate, ...], direction: Direction) -> CorrectedScore | None:
    """The corrected score of the default choice from some models; None if there are none, or it is undefined."""
    if not models:
        return None
    chosen = as_good_as_best(models, direction)
    inside = {model.number: numbers(model.in_bag) for model in models}
    left_out = {model.number: numbers(model.out_of_bag) for model in models}
    scores, kept = [], 0
    for resample in range(max(map(len, inside.values()))):
        drawn = [
            replace(model, score=inside[model.number][resample]) for model in models if resample < len(inside[model.number])
        ]
        defined = [model for model in drawn if math.isfinite(model.score)]
        if defined:
            winner = as_good_as_best(defined, direction).number
            scores.append(left_out[winner][resample])
            kept += winner == chosen.number
    finite = [score for score in scores if math.isfinite(score)]
    if not finite:
        return None
    return CorrectedScore(
        score=math.fsum(finite) / len(finite),
        low=quantile(finite, LEVELS[0]),
        high=quantile(finite, LEVELS[1]),
        models=len(models),
        kept=kept / len(scores),
    )
