"""A finished model's scores on bootstrap resamples of the rows that it has not seen."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lepton_automl.arrays import Array, Json
from lepton_automl.errors import ConfigError
from lepton_automl.metric import RankedScore, Scorer, SummedScore, draws, share_interval, value_of
from lepton_automl.resampled import LEVELS, ResampledScores
from lepton_automl.specs import DataSpec
from lepton_automl.task import metrics_of

from .scores import scorers_of

RESAMPLES = 200
SUMMED_ROWS = 20_000  # at most this many rows are resampled, for a score of sums over rows
RANKED_ROWS = 2_000  # and for one of all rows together
SECONDS = 2.0  # for a score that is computed anew for each resample: a slow one has fewer resamples,
FEWEST = 20  # but at least these
BRIEF_RESAMPLES, BRIEF_SECONDS = 50, 0.1  # of a ranking score that is not the study's metric; a slower one has no interval
CHUNK = 4_000_000  # numbers held at once
MOST_NUMBERS = 20_000_000  # computed for a score that is not the study's metric; beyond, it has no interval


def resampled_scores(
    values: Mapping[str, float],
    answers: Array,
    targets: Array,
    spec: DataSpec,
    *,
    metric: str,
    decoder: Json | None = None,
    weights: Array | None = None,
) -> ResampledScores:
    """Score a model's answers on the study's resamples, which all models of the same data share.

    Args:
        values: Its scores on all rows.
        answers: The task's answers, [N] or [N, K], in the order of the rows.
        targets: Targets in the target's own unit.
        spec: The data; its digest seeds the resamples.
        metric: The study's metric.
        decoder: Fitted decoder settings, such as thresholds.
        weights: The weight of each row, [N]; None if all count alike.
    """
    rows = _Rows(answers, targets, zlib.crc32(spec.digest.encode()), weights)
    scorers = scorers_of(spec, decoder)
    in_bag, out_of_bag = _bags(rows, scorers[metric], values.get(metric, math.nan))
    others = {name: _drawn(rows, scorers[name], value) for name, value in values.items() if name != metric and name in scorers}
    intervals = _intervals(rows, scorers, values, others | {metric: in_bag}, spec)
    return ResampledScores.of(in_bag, out_of_bag, intervals)


def score_intervals(
    values: Mapping[str, float],
    answers: Array,
    targets: Array,
    spec: DataSpec,
    decoder: Json | None = None,
    *,
    weights: Array | None = None,
) -> dict[str, tuple[float, float]]:
    """The 95 % interval of every score on other rows, such as the test split; for the arguments see above."""
    rows, scorers = _Rows(answers, targets, zlib.crc32(spec.digest.encode()), weights), scorers_of(spec, decoder)
    drawn = {name: _drawn(rows, scorers[name], value) for name, value in values.items() if name in scorers}
    return _intervals(rows, scorers, values, drawn, spec)


@dataclass(frozen=True)
class _Rows:
    """The rows to resample: answers [N, ...], targets [N, ...], the seed of the resamples, and weights [N] if there are any."""

    answers: Array
    targets: Array
    seed: int
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def part(self, most: int) -> _Rows:
        """A random part of the rows, if there are more."""
        if len(self) <= most:
            return self
        picked = np.sort(np.random.default_rng(self.seed).choice(len(self), most, replace=False))
        return self.some(picked)

    def some(self, places: Array | slice) -> _Rows:
        """Rows at some places."""
        weights = None if self.weights is None else self.weights[places]
        return _Rows(self.answers[places], self.targets[places], self.seed, weights)

    def weighted(self, counts: Array) -> Array:
        """Counts of the rows [..., N] times their weights, float64."""
        return np.asarray(counts, np.float64) if self.weights is None else counts * self.weights.astype(np.float64)

    def counts(self, resamples: int = RESAMPLES) -> Array:
        """How often each resample has each row, [resamples, N]."""
        return np.stack([np.bincount(drawn, minlength=len(self)) for drawn in draws(len(self), resamples, self.seed)])


def _intervals(
    rows: _Rows, scorers: Mapping[str, Scorer], values: Mapping[str, float], drawn: Mapping[str, Array], spec: DataSpec
) -> dict[str, tuple[float, float]]:
    """The 95 % interval of each score, where it is defined.

    It is Wilson's for a share of the rows, such as accuracy, and for a share without any spread, such as one of exactly 1;
    otherwise it spans the middle 95 % of the resamples' scores.
    """
    declared, intervals = metrics_of(spec), {}
    for name, scored in drawn.items():
        value, defined = values.get(name, math.nan), scored[np.isfinite(scored)]
        if not len(defined) or not math.isfinite(value):
            continue
        low, high = map(float, np.quantile(defined, LEVELS))
        shares = name in declared and declared[name].unit == "share" and 0 <= value <= 1
        if _counts_rows(rows, scorers[name]) or (shares and low == high):
            low, high = share_interval(value, len(rows))
        intervals[name] = (min(low, value), max(high, value))
    return intervals


def _counts_rows(rows: _Rows, scorer: Scorer) -> bool:
    """Whether a score is the share of the rows with some property."""
    if rows.weights is not None or not isinstance(scorer, SummedScore):
        return False
    if scorer.statistics(rows.answers[:1], rows.targets[:1]).shape[1] != 2:
        return False
    some = scorer.statistics(rows.answers[:RANKED_ROWS], rows.targets[:RANKED_ROWS])
    return bool((some[:, 1] == 1).all() and np.isin(some[:, 0], (0, 1)).all())


def _bags(rows: _Rows, scorer: Scorer, value: float) -> tuple[Array, Array]:
    """The scores in and out of the bag of each resample.

    Of many rows only a part is resampled, and the scores are moved to where those of all rows would be: around the score of
    all rows, and closer to it by the root of the share (the m out of n bootstrap; Bickel, Götze and van Zwet, 1997).
    """
    if not len(rows):
        return np.empty(0), np.empty(0)
    part = rows.part(SUMMED_ROWS if isinstance(scorer, SummedScore) else RANKED_ROWS)
    if isinstance(scorer, SummedScore):
        bags, centre = _summed(part, scorer)
    else:
        bags, centre = _ranked(part, scorer, RESAMPLES, SECONDS), _value(scorer, part)
    if len(part) == len(rows):
        return bags
    factor = math.sqrt(len(part) / len(rows))
    return value + factor * (bags[0] - centre), value + factor * (bags[1] - centre)


def _drawn(rows: _Rows, scorer: Scorer, value: float) -> Array:
    """The scores of resamples for an interval only; empty where they would take too long."""
    if not len(rows):
        return np.empty(0)
    if isinstance(scorer, SummedScore):
        numbers = scorer.statistics(rows.answers[:1], rows.targets[:1]).shape[1] * min(len(rows), SUMMED_ROWS)
        return _bags(rows, scorer, value)[0] if numbers <= CHUNK else np.empty(0)
    part, began = rows.part(RANKED_ROWS), time.monotonic()
    centre = _value(scorer, part)
    if isinstance(scorer, RankedScore) and scorer.of_counts is not None:
        if part.answers.size * BRIEF_RESAMPLES > MOST_NUMBERS:
            return np.empty(0)
        scored = scorer.of_counts(part.answers, part.targets, part.weighted(part.counts(BRIEF_RESAMPLES)))
    elif time.monotonic() - began > BRIEF_SECONDS / FEWEST:
        return np.empty(0)
    else:
        scored = _ranked(part, scorer, BRIEF_RESAMPLES, BRIEF_SECONDS)[0]
    return value + math.sqrt(len(part) / len(rows)) * (scored - centre)


def _summed(rows: _Rows, scorer: SummedScore) -> tuple[tuple[Array, Array], float]:
    """The scores of the resamples' sums, in and out of the bag, and the score of all rows."""
    counts, width = rows.counts(), scorer.statistics(rows.answers[:1], rows.targets[:1]).shape[1]
    whole, inside, outside = np.zeros(width), np.zeros((RESAMPLES, width)), np.zeros((RESAMPLES, width))
    step = max(1, CHUNK // max(width, RESAMPLES))
    for at in range(0, len(rows), step):
        times, some_rows = counts[:, at : at + step], rows.some(slice(at, at + step))
        values = scorer.statistics(some_rows.answers, some_rows.targets)
        whole += values.sum(0) if rows.weights is None else some_rows.weighted(np.ones(len(some_rows))) @ values
        inside += some_rows.weighted(times) @ values
        outside += some_rows.weighted(times == 0) @ values
    some = (counts == 0).any(1)  # of few rows, a resample may leave out none
    out_of_bag = [scorer.score(sums) if left else math.nan for sums, left in zip(outside, some, strict=True)]
    return (np.array([scorer.score(sums) for sums in inside]), np.array(out_of_bag)), scorer.score(whole)


def _ranked(rows: _Rows, scorer: Scorer, resamples: int, seconds: float) -> tuple[Array, Array]:
    """The scores of the resamples in and out of the bag, from their rows; fewer of them if the time is up."""
    if isinstance(scorer, RankedScore) and scorer.of_counts is not None:
        counts = rows.counts(resamples)
        both = (rows.weighted(times) for times in (counts, counts == 0))
        inside, outside = (scorer.of_counts(rows.answers, rows.targets, times) for times in both)
        return inside, outside
    bags: list[tuple[float, float]] = []
    began, places = time.monotonic(), np.arange(len(rows))
    for drawn in draws(len(rows), resamples, rows.seed):
        parts = (drawn, np.setdiff1d(places, drawn))
        inner, outer = (_value(scorer, rows.some(part)) for part in parts)
        bags.append((inner, outer))
        if time.monotonic() - began > seconds and len(bags) >= FEWEST:
            break
    inside, outside = np.array(bags).T
    return inside, outside


def _value(scorer: Scorer, rows: _Rows) -> float:
    """A score; NaN where it is undefined on these rows, or a user's function fails on them."""
    if not len(rows):
        return math.nan
    try:
        return value_of(scorer, rows.answers, rows.targets, rows.weights)
    except ConfigError:
        return math.nan
