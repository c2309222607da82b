"""Estimates with intervals from samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lepton_automl.profile import Measurement

from .host import describe_host

Array = NDArray[np.float64]

RESAMPLES = 1000
SAME_SPEED = 0.03  # the same network opened twice seldom differs by more, as its weights are elsewhere in memory


def bootstrap(samples: Sequence[float], quantile: float = 0.5, resamples: int = RESAMPLES) -> tuple[float, float]:
    """The 95 % percentile interval of a quantile (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).

    Args:
        samples: At least one.
        quantile: Which quantile; the median by default.
        resamples: Number of resamples; the seed is fixed.
    """
    low, high = np.quantile(_resampled(np.asarray(samples, dtype=np.float64), quantile, resamples), (0.025, 0.975))
    return float(low), float(high)


def _resampled(values: Array, quantile: float, resamples: int) -> Array:
    """The quantile of each resample."""
    indices = np.random.default_rng(0).integers(len(values), size=(resamples, len(values)))
    quantiles: Array = np.quantile(values[indices], quantile, axis=1)
    return quantiles


def summarize(
    name: str,
    unit: str,
    samples: Sequence[float],
    *,
    clock: str,
    ratio: float | None = None,
    busy: bool = False,
    warnings: tuple[str, ...] = (),
) -> Measurement:
    """Summarise samples as a measurement on this host: their median, its interval, and their spread."""
    low, high = bootstrap(samples)
    p5, median, p95 = quantiles(samples, (0.05, 0.5, 0.95))
    return Measurement(
        name=name,
        unit=unit,
        median=median,
        low=low,
        high=high,
        p5=p5,
        p95=p95,
        n=len(samples),
        clock=clock,
        ratio=ratio,
        busy=busy,
        host=describe_host(),
        warnings=warnings,
    )


def quantiles(samples: Sequence[float] | Array, probabilities: tuple[float, ...]) -> tuple[float, ...]:
    """The quantiles of some samples for the given probabilities."""
    return tuple(float(number) for number in np.quantile(np.asarray(samples, dtype=np.float64), probabilities))


@dataclass(frozen=True)
class SpeedComparison:
    """Which of two calls is faster.

    Args:
        outcome: Whether the first call is faster or slower than the second, or equally fast.
        ratio: The first call's time over the second's: the median over the rounds.
        low: Lower end of its 95 % interval.
        high: Upper end of it.
        confidence: Share of the resampled medians that agree with the outcome; it is low for an `"equal"` that may hide a
            difference too small for so few rounds.
    """

    outcome: Literal["faster", "slower", "equal"]
    ratio: float
    low: float
    high: float
    confidence: float


def compare_times(times: Sequence[float], other: Sequence[float], *, alike: float = SAME_SPEED) -> SpeedComparison:
    """Whether one call is faster than another of the same benchmark, by a paired bootstrap of the median ratio.

    Args:
        times: Times, or ratios to the reference, of the first call by round.
        other: Those of the second, in the same rounds.
        alike: Relative difference up to which two calls count as equally fast; by default that of one network opened twice.
    """
    paired = np.asarray(times, dtype=np.float64) / np.asarray(other, dtype=np.float64)
    medians = _resampled(paired, 0.5, RESAMPLES)
    low, high = (float(edge) for edge in np.quantile(medians, (0.025, 0.975)))
    below, above = 1 / (1 + alike), 1 + alike
    outcome: Literal["faster", "slower", "equal"] = "faster" if high < below else "slower" if low > above else "equal"
    agree = {"faster": medians < below, "slower": medians > above, "equal": (below <= medians) & (medians <= above)}[outcome]
    return SpeedComparison(outcome, float(np.median(paired)), low, high, float(np.mean(agree)))
