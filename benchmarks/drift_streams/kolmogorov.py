"""Kolmogorov-Smirnov tests of each channel at the end of each window, and chi-squared tests of categories; with Bonferroni."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2, kstwobign

from lepton_automl.arrays import Array

from .channels import Channel, channels, values
from .sources import Source
from .streams import WINDOW, Stream


def p_values(source: Source, stream: Stream) -> Array:
    """The smallest p-value of each window, times the number of channels, [windows]."""
    known, columns = channels(source), values(source, stream)
    windows = len(stream) // WINDOW
    found = np.ones((windows, len(known)))
    for place, (channel, column) in enumerate(zip(known, columns, strict=True)):
        for window in range(windows):
            stop = (window + 1) * WINDOW - channel.late
            if stop >= WINDOW:
                found[window, place] = p_value(channel, column[stop - WINDOW : stop])
    return np.asarray(found.min(1) * len(known))


def alarms(source: Source, stream: Stream, level: float) -> list[int]:
    """The rows at which an alarm is raised: ends of windows."""
    return [(int(window) + 1) * WINDOW for window in np.flatnonzero(p_values(source, stream) <= level)]


def p_value(channel: Channel, seen: Array) -> float:
    reference = channel.reference
    if channel.category:
        return _chi_squared(reference, seen)
    reference, seen = np.sort(reference[~np.isnan(reference)]), np.sort(seen[~np.isnan(seen)])
    if not len(seen):
        return 1.0
    both = np.concatenate([reference, seen])
    below = [np.searchsorted(part, both, side="right") / len(part) for part in (reference, seen)]
    distance = np.abs(below[0] - below[1]).max()
    return float(kstwobign.sf(distance * np.sqrt(len(reference) * len(seen) / (len(reference) + len(seen)))))


def _chi_squared(reference: Array, seen: Array) -> float:
    codes = [np.nan_to_num(part, nan=-1.0).astype(int) + 1 for part in (reference, seen)]
    width = max(int(part.max()) for part in codes) + 1
    counts = np.stack([np.bincount(part, minlength=width) for part in codes])
    counts = counts[:, counts.sum(0) > 0]
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    statistic = ((counts - expected) ** 2 / expected).sum()
    return float(chi2.sf(statistic, max(counts.shape[1] - 1, 1)))
