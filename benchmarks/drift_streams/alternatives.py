"""Two other sequential schemes on the same channels: a conformal test martingale, and tests of several windows at every look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lepton_automl.arrays import Array

from .channels import channels, values
from .kolmogorov import p_value
from .sources import Source
from .streams import WINDOW, Stream

_KEPT: dict[tuple[str, str, int, int], Array] = {}  # a level is found by trying several on the same streams
JUMP = 0.01  # the simple jumper's rate
LEANINGS = np.array([-1.0, 0.0, 1.0])  # of its betting functions 1 + leaning x (p - 1/2)
LOOKS = 50  # rows between two looks of the tests
SCALES = (50, 100, 200, 500, 1000, 2000)  # rows that each look tests
LEAST_COUNTED = 500  # rows of a chi-squared test: fewer are too few for rare categories


def conformal(source: Source, streams: Sequence[Stream], level: float) -> list[list[tuple[int, str]]]:
    """The simple jumper of Vovk and others (2021) on each channel's ranks; the mean of Shiryaev-Roberts statistics is compared."""
    threshold = WINDOW / level
    return [[(row, "") for row in _jumps(source, stream, threshold)] for stream in streams]


def _jumps(source: Source, stream: Stream, threshold: float) -> list[int]:
    ranks = _ranks(source, stream)
    known = ~np.isnan(ranks)
    factors = np.where(known, ranks - 0.5, 0.0)[..., None] * LEANINGS + 1
    start = np.full((ranks.shape[1], 3), 1 / 3)
    capital, statistic, found = start.copy(), np.zeros(ranks.shape[1]), []
    for row, factor in enumerate(factors):
        mixed = (1 - JUMP) * capital + JUMP / 3 * capital.sum(1, keepdims=True)
        after = mixed * factor
        growth = after.sum(1) / capital.sum(1)
        capital = after / after.sum(1, keepdims=True)
        statistic = (statistic + 1) * growth
        if statistic.mean() >= threshold:
            found.append(row + 1)
            capital, statistic = start.copy(), np.zeros(ranks.shape[1])
    return found


def _ranks(source: Source, stream: Stream) -> Array:
    """The rank of each value among the training rows, as a share with ties broken at random, [N, channels]; NaN for none."""
    rng = np.random.default_rng(stream.seed)
    columns = []
    for channel, column in zip(channels(source), values(source, stream), strict=True):
        reference = np.sort(channel.reference[~np.isnan(channel.reference)])
        low, high = (np.searchsorted(reference, column, side=side) for side in ("left", "right"))
        rank = (low + rng.random(len(column)) * (high - low + 1)) / (len(reference) + 1)
        rank[np.isnan(column)] = np.nan
        columns.append(np.concatenate([np.full(channel.late, np.nan), rank])[: len(rank)])
    return np.stack(columns, axis=1)


def spending(source: Source, streams: Sequence[Stream], level: float) -> list[list[tuple[int, str]]]:
    """Kolmogorov-Smirnov tests of the last 50 to 2,000 rows at every 50 rows; the level is spent on all of them alike."""
    found = []
    for stream in streams:
        key = (source.name, stream.name, stream.seed, len(stream))
        if key not in _KEPT:
            _KEPT[key] = _tests(source, stream)
        smallest = _KEPT[key]
        looks = (1 + np.flatnonzero(smallest <= level)) * LOOKS
        found.append([(int(row), "") for row in looks])
    return found


def _tests(source: Source, stream: Stream) -> Array:
    """The smallest p-value of each look, over channels and scales, times their number."""
    known, columns = channels(source), values(source, stream)
    smallest = np.ones(len(stream) // LOOKS)
    for look in range(len(smallest)):
        for channel, column in zip(known, columns, strict=True):
            stop = (look + 1) * LOOKS - channel.late
            for scale in SCALES:
                if stop >= scale and (scale >= LEAST_COUNTED or not channel.category):
                    smallest[look] = min(smallest[look], p_value(channel, column[stop - scale : stop]))
    return smallest * len(known) * len(SCALES)
