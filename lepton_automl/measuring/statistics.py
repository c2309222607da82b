"""Samples to a figure with its doubt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 1000


def bootstrap(samples: Sequence[float], quantile: float = 0.5, resamples: int = RESAMPLES) -> tuple[float, float]:
    """The 95 % percentile interval of a quantile (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).

    Args:
        samples: At least one.
        quantile: Which quantile; the median by default.
        resamples: How many samples of samples are drawn, always the same ones.
    """
    values = np.asarray(samples, dtype=np.float64)
    drawn = np.random.default_rng(0).integers(len(values), size=(resamples, len(values)))
    low, high = np.quantile(np.quantile(values[drawn], quantile, axis=1), (0.025, 0.975))
    return float(low), float(high)
