"""Bets on a feature's bins: likelihood ratios of a new row under a change, against the training data.

Under the training distribution p of the bins, each bet has the mean 1: it is q(bin) / p(bin) for some other distribution q. Its
logarithm, added up over rows, grows if the rows look more like q.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lepton_automl.arrays import Array

from .bins import ABOVE, BELOW, FIRST, MISSING, NUMBER, UNSEEN, FeatureProfile, number_order, score_of_bins

TILTS = (0.1, 0.2, 0.4, 0.8, 1.6)  # shifts of the mean, in standard deviations
SPREADS = (0.15, 0.3, 0.6)  # the same of the squared distance from the middle
SHARES = (0.02, 0.1, 0.5)  # of rows in a bin that was rare
NEAREST = 5.0  # a shift of less than this many standard errors of the profile itself is not bet on
CHANGES = (0.2, 0.5, 1.0)  # of how often a category occurs, in standard deviations
TOP = 6  # categories with bets of their own
FACTORS = (10.0, 100.0, 1000.0, 2.54, 1.609344, 0.45359237, 60.0, 3.6)  # units that are confused, or their inverses
TEMPERATURES = ((1.8, 32.0), (1 / 1.8, -32 / 1.8), (1.0, 273.15), (1.0, -273.15))  # factors and offsets
CONVERSIONS = (*((factor, 0.0) for one in FACTORS for factor in (one, 1 / one)), *TEMPERATURES)


@dataclass(frozen=True)
class Bet:
    """A bet on the bins of a feature.

    Args:
        log: The logarithm of the likelihood ratio of each bin, float64 [bins].
        change: The change, as the end of "the values of x ...".
        size: How large the change is; with `change` it identifies a bet on a feature.
        weight: Its share among the bets on its feature, before they are scaled to add up to 1.
    """

    log: Array
    change: str
    size: float
    weight: float = 1.0


Bettor = Callable[[FeatureProfile], list[Bet]]


def shift_bets(feature: FeatureProfile) -> list[Bet]:
    """Bets on larger, smaller, more and less spread numbers, and on more and less frequent categories."""
    p = feature.probabilities()
    return _number_bets(feature, p) if feature.kind == NUMBER else _category_bets(feature, p)


def missing_bets(feature: FeatureProfile) -> list[Bet]:
    """Bets on more missing values, and on fewer if there are many."""
    p = feature.probabilities()
    more = [_share_bet(p, MISSING, share, "are missing more often") for share in SHARES]
    fewer = [_tilt(p, _indicator(p, MISSING), -1.0, "are missing less often")] if p[MISSING] > 0.02 else []
    return more + fewer


def unseen_bets(feature: FeatureProfile) -> list[Bet]:
    """Bets on categories that the training data do not have, and on numbers beyond their range."""
    p = feature.probabilities()
    if feature.kind != NUMBER:
        return [_share_bet(p, UNSEEN, share, "are categories that the training data do not have") for share in SHARES]
    return [
        _share_bet(p, place, share, f"are {side} all of the training data")
        for place, side in ((BELOW, "below"), (ABOVE, "above"))
        for share in SHARES
    ]


def unit_bets(feature: FeatureProfile) -> list[Bet]:
    """Bets on numbers in another unit: multiplied by a factor that units differ by, or temperatures on another scale."""
    if feature.kind != NUMBER or feature.quantiles[0] == feature.quantiles[-1]:
        return []
    p, points = feature.probabilities(), np.asarray(feature.quantiles)
    bets = []
    for factor, offset in CONVERSIONS:
        with np.errstate(over="ignore"):
            converted = points * factor + offset
        moved = np.bincount(feature.bin(converted), minlength=len(p)) / len(points)
        if np.abs(moved - p).sum() < 1.0:  # at most half of the rows would change their bin
            continue
        bets.append(Bet(_log_ratio(0.9 * moved + 0.1 * p, p), "look converted to another unit", factor + offset))
    return bets


def _number_bets(feature: FeatureProfile, p: Array) -> list[Bet]:
    order, score = number_order(len(p)), score_of_bins(feature)
    bets = []
    for size in _sizes(TILTS, feature.rows):
        bets += [_tilt(p, score, size, "are larger"), _tilt(p, score, -size, "are smaller")]
    spread = score**2
    spread[MISSING] = float(p[order] @ spread[order]) / float(p[order].sum())
    if np.ptp(spread[order]) > 0.1:
        for size in _sizes(SPREADS, feature.rows):
            bets += [_tilt(p, spread, size, "are more spread"), _tilt(p, spread, -size, "are closer together")]
    return bets


def _category_bets(feature: FeatureProfile, p: Array) -> list[Bet]:
    bets = []
    counts = np.asarray(feature.counts[FIRST:])
    places = np.argsort(-counts, kind="stable")[: min(TOP, np.count_nonzero(counts))] + FIRST
    for place in places:
        name, score = feature.labels()[place], _indicator(p, int(place))
        for size in _sizes(CHANGES, feature.rows):
            bets += [
                _tilt(p, score, size, f"are {name!r} more often", size),
                _tilt(p, score, -size, f"are {name!r} less often", size),
            ]
    return bets


def _sizes(sizes: tuple[float, ...], rows: int) -> tuple[float, ...]:
    """The sizes that the profile is sure about; at least the largest."""
    return tuple(size for size in sizes if size >= NEAREST / np.sqrt(rows)) or sizes[-1:]


def _indicator(p: Array, place: int) -> Array:
    score = np.zeros(len(p))
    score[place] = 1.0
    return score


def _tilt(p: Array, score: Array, size: float, change: str, weight: float = 1.0) -> Bet:
    """The distribution tilted along a score, by a size in the score's standard deviations."""
    centred = score - p @ score
    scale = np.sqrt(p @ centred**2)
    log = size * centred / max(float(scale), 1e-9)
    top = float(log.max())
    return Bet(log - (top + np.log(p @ np.exp(log - top))), change, size, weight)


def _share_bet(p: Array, place: int, share: float, change: str) -> Bet:
    """The distribution with a share of the rows moved into one bin."""
    moved = (1 - share) * p
    moved[place] += share
    return Bet(_log_ratio(moved, p), change, share)


def _log_ratio(q: Array, p: Array) -> Array:
    return np.asarray(np.log(q / q.sum()) - np.log(p))
