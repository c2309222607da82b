"""Probabilities scaled by a temperature, and prediction regions that hold the truth as often as requested.

Regions are those of split-conformal prediction (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; Lei and
others, Distribution-Free Predictive Inference for Regression, JASA 2018). Each row that a network has not seen gets a score, higher
for a worse answer. A region holds every possible answer whose score is at most the quantile of these scores. This file is shipped
with every model whose decoder uses it: it needs only NumPy.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import Array, Json
from .errors import ConfigError

PER_MILLE = (*range(10, 1000, 10), 995, 999)  # the levels of coverage whose quantiles are stored
ROUNDING = 1e-9  # a coverage this little above a level is that level
TINY = 1e-30  # stands for a probability that was rounded to zero


def with_temperature(probabilities: Array, temperature: float) -> Array:
    """Probabilities whose logarithms are divided by a temperature (Guo and others, On Calibration of Modern Neural Networks, 2017).

    The order of the classes stays. A temperature above 1 makes all of them more alike.

    Args:
        probabilities: [N, classes]; each row adds up to 1.
        temperature: More than 0.

    Returns:
        Probabilities [N, classes], float64; the same array if the temperature is 1.
    """
    if temperature == 1.0:
        return probabilities
    logs = np.log(np.maximum(probabilities.astype(np.float64), TINY)) / temperature
    odds = np.exp(logs - logs.max(1, keepdims=True))
    scaled: Array = odds / odds.sum(1, keepdims=True)
    return scaled


def fit_regions(scores_for: Callable[[float], Array]) -> Json:
    """The quantiles that regions need, as JSON; {} if there are too few rows for any.

    The quantile at level c of n scores is the ceil((n + 1) c)-th smallest. A new row of the same distribution then lies in its region
    with a probability of at least c, and of at most c + 1 / (n + 1) if no two scores are equal.

    Args:
        scores_for: Returns the scores [n] for a level; they may be the same array for several levels.

    Returns:
        `rows`, their number n; `levels`, those for which the rows suffice; `quantiles`, one for each level.
    """
    levels: list[float] = []
    quantiles: list[float] = []
    scores = ordered = np.empty(0)
    for per_mille in PER_MILLE:
        latest = scores_for(per_mille / 1000)
        if latest is not scores:
            scores, ordered = latest, np.sort(latest)
        rank = -(-(len(ordered) + 1) * per_mille // 1000)
        if rank > len(ordered):
            break
        levels.append(per_mille / 1000)
        quantiles.append(float(ordered[rank - 1]))
    if not np.isfinite(quantiles).all() or not levels:
        return {}
    return {"rows": len(scores), "levels": levels, "quantiles": quantiles}


def region_quantile(regions: Json | None, coverage: Any) -> tuple[float, float]:
    """The level and the quantile for a requested coverage: those of the lowest stored level that is not below it.

    Args:
        regions: What `fit_regions` returned; None or {} for a model without.
        coverage: Between 0 and 1.

    Raises:
        ConfigError: The coverage is not between 0 and 1, the model was made from too few rows for it, or it has no regions at all.
    """
    known = isinstance(coverage, int | float) and not isinstance(coverage, bool)
    if not known or not 0 < coverage < 1:
        fix = "Give a share, such as 0.9."
        raise ConfigError(f"coverage is {coverage!r}; it must be between 0 and 1", where="predict", fix=fix)
    if not regions:
        what = "this model has no prediction regions: there were no rows to calibrate them on"
        raise ConfigError(what, where="coverage", fix="Predict without coverage.")
    levels: list[float] = regions["levels"]
    at = bisect_left(levels, coverage - ROUNDING)
    if at < len(levels):
        return levels[at], float(regions["quantiles"][at])
    level = next((level / 1000 for level in PER_MILLE if level / 1000 >= coverage - ROUNDING), None)
    if level is None:
        what = f"a coverage of {coverage:g} is more than this package calibrates"
    else:
        needed = math.ceil(round(level / (1 - level), 6))
        what = f"a coverage of {coverage:g} takes at least {needed:,} validation rows, and this model has {regions['rows']:,}"
    raise ConfigError(what, where="coverage", fix=f"Give at most {levels[-1]:g}.")
