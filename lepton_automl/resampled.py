"""Scores on bootstrap resamples of the rows, as the journal keeps them: how much of a score, or of a difference, may be chance.

Every model of a study is scored on the same resamples, so that differences of models are paired.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from ._json import Value

LEVELS = (0.025, 0.975)  # of a 95 % interval


@dataclass(frozen=True, kw_only=True)
class ResampledScores(Value):
    """The scores of a finished model on the study's bootstrap resamples.

    The scores are stored as text, five digits each: a journal of a thousand trials is read in a fraction of the time.

    Args:
        in_bag: The study's metric on the rows of each resample, drawn with replacement; `nan` where it is undefined.
        out_of_bag: The metric on the rows that each resample left out.
        intervals: The 95 % interval of each score, by its name.
    """

    in_bag: str = ""
    out_of_bag: str = ""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, in_bag: Iterable[float], out_of_bag: Iterable[float], intervals: dict[str, tuple[float, float]]
    ) -> ResampledScores:
        """The value from numbers, one a resample."""
        texts = (" ".join(f"{score:.5g}" for score in scores) for scores in (in_bag, out_of_bag))
        rounded = {name: (float(f"{low:.5g}"), float(f"{high:.5g}")) for name, (low, high) in intervals.items()}
        return cls(in_bag=next(texts), out_of_bag=next(texts), intervals=rounded)

    @property
    def drawn(self) -> tuple[float, ...]:
        """`in_bag` as numbers."""
        return numbers(self.in_bag)

    @property
    def left_out(self) -> tuple[float, ...]:
        """`out_of_bag` as numbers."""
        return numbers(self.out_of_bag)


@functools.lru_cache(maxsize=4096)
def numbers(text: str) -> tuple[float, ...]:
    """The scores in a text."""
    return tuple(map(float, text.split()))


@functools.lru_cache(maxsize=65536)
def paired_error(first: str, second: str) -> float:
    """The standard error of the difference of two models' scores, from their common resamples.

    Args:
        first: `ResampledScores.in_bag` of one model.
        second: That of the other.

    Returns:
        The standard deviation of the differences; 0 if a model has no resamples, so that any difference counts.
    """
    pairs = zip(numbers(first), numbers(second), strict=False)  # a slow metric may have fewer resamples
    differences = [a - b for a, b in pairs if math.isfinite(a) and math.isfinite(b)]
    if len(differences) < 2:
        return 0.0
    mean = math.fsum(differences) / len(differences)
    return math.sqrt(math.fsum((difference - mean) ** 2 for difference in differences) / (len(differences) - 1))


def quantile(values: Iterable[float], share: float) -> float:
    """A quantile by linear interpolation, of the finite values; NaN if there are none."""
    known = sorted(filter(math.isfinite, values))
    if not known:
        return math.nan
    place = share * (len(known) - 1)
    low = math.floor(place)
    high = min(low + 1, len(known) - 1)
    return known[low] + (place - low) * (known[high] - known[low])
