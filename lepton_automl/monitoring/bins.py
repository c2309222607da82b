"""The bins of a feature: special ones for missing, unseen and extreme values, then its values in order.

A number's bins are, in order: missing, below the smallest and above the largest training value, then about equally many training
rows each; a value that many rows have is a bin of its own. A category's bins are: missing, unseen, then the most frequent
categories, then all others together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lepton_automl._json import Value
from lepton_automl.arrays import Array
from lepton_automl.errors import DataError

MISSING, BELOW, ABOVE, INNER = 0, 1, 2, 3  # bins of a number
UNREAD = -1  # no bin yet
UNSEEN, FIRST = 1, 2  # bins of a category, besides MISSING
NUMBER_BINS = 20  # of about equally many rows
SHOWN = 30  # categories with a bin of their own
MOST_CATEGORIES = 1000  # that a profile stores; with more, an unknown one is not called unseen
POINTS = 65  # quantiles of a number, from the smallest to the largest
NUMBER, CATEGORY = "number", "category"


@dataclass(frozen=True, kw_only=True)
class FeatureProfile(Value):
    """A feature's distribution in the training rows.

    Args:
        name: Its name.
        kind: `"number"` or `"category"`.
        rows: The number of training rows.
        counts: Training rows in each bin.
        edges: The lower edges of a number's inner bins, and the upper edge of the last one, which is excluded.
        quantiles: `POINTS` quantiles of a number, from the smallest value to the largest.
        categories: A category's values, the most frequent first, at most `MOST_CATEGORIES`.
        complete: Whether these are all of its values.
        once: Training rows whose category no other row has.
        repeats: The share of rows that have the value of the row before, if the order of rows is random.
    """

    name: str
    kind: str
    rows: int
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    quantiles: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    complete: bool = True
    once: int = 0
    repeats: float = 0.0

    @property
    def missing_rate(self) -> float:
        """The share of training rows without a value."""
        return self.counts[MISSING] / self.rows

    def bin(self, values: Array) -> Array:
        """The bin of each value.

        Args:
            values: Numbers, or categories as texts, [N]; None and NaN are missing.

        Returns:
            Numbers of bins, int64 [N].

        Raises:
            DataError: A value has the wrong type.
        """
        return self._number_bins(values) if self.kind == NUMBER else self._category_bins(values)

    def _number_bins(self, values: Array) -> Array:
        numbers = as_numbers(values, self.name)
        edges = np.asarray(self.edges)
        bins = np.searchsorted(edges, numbers, side="right") + (INNER - 1)
        bins[numbers < edges[0]] = BELOW
        bins[numbers >= edges[-1]] = ABOVE
        bins[np.isnan(numbers)] = MISSING
        return bins

    def _category_bins(self, values: Array) -> Array:
        known, cells = self._bin_by_category, np.asarray(values).reshape(-1).tolist()
        try:
            bins = np.array([known.get(cell, UNREAD) for cell in cells], np.int64)
        except TypeError as error:  # a list or a mapping
            fix = "Pass texts, numbers or None."
            raise DataError(f"a value of a category cannot be used ({error})", where=self.name, fix=fix) from error
        unread = np.flatnonzero(bins == UNREAD)
        if len(unread):  # no text of a known category: missing, unseen, or of another type
            default = UNSEEN if self.complete else len(self.counts) - 1
            bins[unread] = [known.get(text, default) for text in as_texts(np.array([cells[place] for place in unread], object))]
        return bins

    @cached_property
    def _bin_by_category(self) -> dict[Any, int]:
        others = len(self.counts) - 1
        return {"": MISSING} | {name: min(FIRST + place, others) for place, name in enumerate(self.categories)}

    def probabilities(self) -> Array:
        """The probability of each bin in a new row, never zero, float64 [bins].

        What the training rows do not contain has the probability that one more row would show it: by the rule of succession, and
        for unseen categories by the estimate of Good and Turing.
        """
        counts = np.asarray(self.counts, np.float64) + 0.5
        counts[[MISSING, BELOW, ABOVE] if self.kind == NUMBER else [MISSING, UNSEEN]] += 0.5
        if self.kind != NUMBER:
            counts[UNSEEN] += self.once
        return np.asarray(counts / counts.sum())

    def with_rows(self, counts: Array) -> FeatureProfile:
        """The profile with further rows, given the number of them in each bin, [bins]."""
        total = np.asarray(self.counts) + counts
        return self.replace(rows=self.rows + int(counts.sum()), counts=_integers(total))

    def labels(self) -> tuple[str, ...]:
        """A name for each bin, as it is shown."""
        if self.kind == NUMBER:
            inner = tuple(_interval(low, high) for low, high in zip(self.edges[:-1], self.edges[1:], strict=True))
            return ("missing", "below", "above", *inner)
        shown = self.categories[: len(self.counts) - FIRST - 1]
        return ("missing", "unseen", *shown, "others")


def _interval(low: float, high: float) -> str:
    return f"{low:.4g}" if high <= _next(low) else f"{low:.4g} to {high:.4g}"


def feature_profile(name: str, values: Array, *, category: bool | None = None) -> FeatureProfile:
    """The distribution of a feature.

    Args:
        name: Its name.
        values: Its values in the training rows, [N].
        category: Whether it is a category; by default, whatever is not numeric is one.

    Raises:
        DataError: There are no rows, or numbers are expected and something else is given.
    """
    if not len(values):
        raise DataError("there are no rows to make a profile of", where=name, fix="Pass the training rows.")
    if category is None:
        category = np.asarray(values).dtype.kind not in "fiub"
    return _of_categories(name, as_texts(values)) if category else _of_numbers(name, as_numbers(values, name))


def _of_numbers(name: str, numbers: Array) -> FeatureProfile:
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        known = np.zeros(1)
    edges = _edges(known)
    empty = FeatureProfile(name=name, kind=NUMBER, rows=len(numbers), counts=(), edges=tuple(edges.tolist()))
    counts = np.bincount(empty.bin(numbers), minlength=INNER + len(edges) - 1)
    quantiles = np.quantile(known, np.linspace(0, 1, POINTS), method="inverted_cdf")
    _, equal = np.unique(known, return_counts=True)
    return empty.replace(counts=_integers(counts), quantiles=tuple(quantiles.tolist()), repeats=_repeats(equal))


def _edges(known: Array) -> Array:
    """Edges of bins with about equally many values; a frequent value has a bin of its own."""
    values, counts = np.unique(known, return_counts=True)
    if len(values) <= NUMBER_BINS:
        cuts = values
    else:
        frequent = values[counts >= len(known) / NUMBER_BINS]
        shares = np.linspace(0, 1, NUMBER_BINS + 1)
        cuts = np.quantile(known, shares, method="inverted_cdf")  # values themselves: the mean of two huge ones may be infinite
        cuts = np.concatenate([cuts, frequent, _next(frequent)])
    top = _next(values[-1])
    cuts = np.unique(cuts[cuts <= values[-1]])
    filled = np.bincount(np.searchsorted(cuts, known, side="right") - 1, minlength=len(cuts)) > 0
    return np.append(cuts[filled], top)


def _next(numbers: Array | float) -> Any:
    """The next larger numbers; infinite after the largest one."""
    with np.errstate(over="ignore"):
        return np.nextafter(numbers, np.inf)


def _of_categories(name: str, texts: Array) -> FeatureProfile:
    values, equal = np.unique(texts[texts != ""], return_counts=True)
    order = np.argsort(-equal, kind="stable")
    values, equal = values[order], equal[order]
    stored = tuple(str(value) for value in values[:MOST_CATEGORIES])
    shown = min(SHOWN, len(stored))
    counts = [int(np.sum(texts == "")), 0, *equal[:shown].tolist(), int(equal[shown:].sum())]
    return FeatureProfile(
        name=name,
        kind=CATEGORY,
        rows=len(texts),
        counts=tuple(counts),
        categories=stored,
        complete=len(values) <= MOST_CATEGORIES,
        once=int(np.sum(equal == 1)),
        repeats=_repeats(equal),
    )


def _repeats(equal: Array) -> float:
    """The probability that two different rows have the same value, by the numbers of rows with each value."""
    rows = equal.sum()
    return float((equal * (equal - 1.0)).sum() / (rows * (rows - 1.0))) if rows > 1 else 1.0


def _integers(counts: Array) -> tuple[int, ...]:
    return tuple(int(count) for count in counts)


def number_order(bins: int) -> Array:
    """The bins of a number from the smallest values to the largest, without that of missing ones."""
    return np.asarray(np.r_[BELOW, np.arange(INNER, bins), ABOVE])


def score_of_bins(feature: FeatureProfile) -> Array:
    """The normal score of each bin of a number; zero for missing values and for categories."""
    scores = np.zeros(len(feature.counts))
    if feature.kind == NUMBER:
        order = number_order(len(scores))
        scores[order] = normal_scores(feature.probabilities()[order])
    return scores


def normal_scores(p: Array) -> Array:
    """The normal score of each of some ordered bins: the middle of its rank on the scale of the normal distribution."""
    middle = (np.cumsum(p) - p / 2) / p.sum()
    return normal_quantile(middle)


def normal_quantile(share: Array) -> Array:
    """The quantile of the normal distribution, by Winitzki's approximation of the inverse error function (error below 0.005)."""
    x, a = 2 * share - 1, 0.147
    log = np.log1p(-(x**2))
    part = 2 / (np.pi * a) + log / 2
    return np.asarray(np.sqrt(2) * np.sign(x) * np.sqrt(np.sqrt(part**2 - log / a) - part))


def as_numbers(values: Array, name: str) -> Array:
    """Values as float64 [N]; None is NaN.

    Raises:
        DataError: A value is not a number.
    """
    try:
        return np.asarray(values, np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        fix = "Pass numbers, with NaN for missing ones."
        raise DataError(f"a value of a numeric feature is not a number ({error})", where=name, fix=fix) from error


def as_texts(values: Array) -> Array:
    """Values as texts, object [N]; empty for None and NaN."""
    array = np.asarray(values)
    if array.dtype.kind in "US":
        return array.astype(object)
    texts = np.empty(array.size, object)
    texts[:] = ["" if item is None or item != item else str(item) for item in array.reshape(-1).tolist()]  # noqa: PLR0124  # NaN
    return texts
