"""The training profile: what a live model's rows, answers and calls are compared with. It is a JSON value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from lepton_automl._json import Value
from lepton_automl.arrays import Array
from lepton_automl.errors import Complaints, DataError, did_you_mean

from .bins import NUMBER, FeatureProfile, as_numbers, feature_profile, normal_quantile, score_of_bins

FEWEST = 50  # rows that a profile needs
COMBINATIONS = 8  # of columns that are watched together
LEAST_VARIANCE = 0.02  # of a combination, in units of a column's variance
SHOWN_COLUMNS = 3  # that name a combination


@dataclass(frozen=True, kw_only=True)
class Together(Value):
    """How the columns vary together in the training rows.

    Args:
        weights: The weight of each feature in each combination, applied to the normal scores of its bins.
        combinations: The distribution of each combination, and last that of the distance from the middle of the rows.
    """

    weights: tuple[tuple[float, ...], ...]
    combinations: tuple[FeatureProfile, ...]


@dataclass(frozen=True, kw_only=True)
class Score(Value):
    """The model's answers on held-out rows with true answers.

    Args:
        rows: The number of rows.
        labels: Whether answers are labels; else they are numbers.
        value: The share of right labels, or the mean absolute error.
        errors: The distribution of the errors: 0 or 1 for labels, absolute errors for numbers.
        threshold: The confidence that as many held-out rows exceed as have right labels; None without confidences.
        sure_wrong: The share of wrong labels among rows above this threshold; None without.
    """

    rows: int
    labels: bool
    value: float
    errors: FeatureProfile
    threshold: float | None = None
    sure_wrong: float | None = None


@dataclass(frozen=True, kw_only=True)
class Profile(Value):
    """What is normal for a live model.

    Args:
        rows: The number of training rows.
        features: The distribution of each feature in them.
        together: How they vary together; None for fewer than two numbers.
        answers: The distribution of the model's answers on held-out rows; None if unknown.
        confidence: That of the probabilities of its labels; None if unknown.
        score: The score on held-out rows; None if unknown.
        latency: The distribution of measured latencies in ms; None if unknown.
        failures: The share of calls that failed when they were measured.
    """

    rows: int
    features: tuple[FeatureProfile, ...] = ()
    together: Together | None = None
    answers: FeatureProfile | None = None
    confidence: FeatureProfile | None = None
    score: Score | None = None
    latency: FeatureProfile | None = None
    failures: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features."""
        return tuple(feature.name for feature in self.features)

    def bins(self, features: Mapping[str, Array]) -> Array:
        """The bin of each feature, int64 [N, features].

        Raises:
            DataError: A feature is missing, its length differs, or it has other values than numbers.
        """
        complaints = Complaints("features", DataError)
        for name in set(self.names) - set(features):
            complaints.add(f"the feature {name!r} is missing", did_you_mean(name, features).strip())
        lengths = {len(features[name]) for name in self.names if name in features}
        complaints.check(len(lengths) <= 1, f"the features have different numbers of rows: {sorted(lengths)}")
        complaints.raise_any()
        columns = [feature.bin(features[feature.name]) for feature in self.features]
        return np.stack(columns, axis=1) if columns else np.zeros((0, 0), np.int64)

    def together_values(self, bins: Array) -> Array:
        """Each combination of columns, and the distance from the middle, float64 [N, combinations + 1]."""
        assert self.together is not None
        values = _scores(self.features, bins) @ np.asarray(self.together.weights).T
        return np.concatenate([values, np.sqrt((values**2).sum(1, keepdims=True))], axis=1)


def profile_of(
    features: Mapping[str, Array],
    *,
    categories: Collection[str] = (),
    answers: Array | None = None,
    confidence: Array | None = None,
    truth: Array | None = None,
    latency_ms: Array | None = None,
    failures: float = 0.0,
) -> Profile:
    """The profile of training rows and of the model's answers on held-out rows.

    Args:
        features: The values of each feature in training rows, [N]. Their order must be random.
        categories: Names of numeric features that are categories.
        answers: The model's answers on held-out rows, [M].
        confidence: The probability of each of these labels, [M].
        truth: The true answers, [M]; without them there is no score to compare with.
        latency_ms: Measured latencies of single calls, one for each.
        failures: The share of calls that failed when they were measured.

    Raises:
        DataError: There are too few rows, arrays do not fit together, or a category is no feature.
    """
    rows = _check(features, categories, {"answers": answers, "confidence": confidence, "truth": truth})
    profiles = tuple(feature_profile(name, values, category=name in categories or None) for name, values in features.items())
    bins = np.stack([one.bin(features[one.name]) for one in profiles], axis=1) if profiles else np.zeros((0, 0), np.int64)
    latency = None if latency_ms is None else feature_profile("latency", np.asarray(latency_ms, np.float64))
    return Profile(
        rows=rows,
        features=profiles,
        together=_together(profiles, bins),
        answers=None if answers is None else feature_profile("answer", answers),
        confidence=None if confidence is None else feature_profile("confidence", confidence),
        score=None if answers is None or truth is None else _score(answers, truth, confidence),
        latency=latency,
        failures=failures,
    )


def latencies_of(median_ms: float, p95_ms: float) -> Array:
    """Latencies with a measured median and 95th percentile, for `profile_of`, where single ones were not kept.

    They have the quantiles of a log-normal distribution, float64 [1000].

    Args:
        median_ms: The measured median.
        p95_ms: The measured 95th percentile.

    Raises:
        DataError: They are not positive, or the percentile is below the median.
    """
    if not 0 < median_ms <= p95_ms:
        what = f"the median is {median_ms!r} ms and the 95th percentile {p95_ms!r} ms"
        raise DataError(what, where="latencies_of", fix="Pass measured latencies in ms, the median first.")
    scores = normal_quantile((np.arange(1000) + 0.5) / 1000)
    return np.asarray(median_ms * (p95_ms / median_ms) ** (scores / float(normal_quantile(np.array(0.95)))))


def _check(features: Mapping[str, Array], categories: Collection[str], outputs: Mapping[str, Array | None]) -> int:
    complaints = Complaints("profile", DataError)
    lengths = {len(values) for values in features.values()}
    complaints.check(len(lengths) <= 1, f"the features have different numbers of rows: {sorted(lengths)}")
    rows = max(lengths, default=0)
    complaints.check(
        not features or rows >= FEWEST, f"there are {rows} training rows, and a profile needs {FEWEST}", "Pass more rows."
    )
    for name in categories:
        complaints.check(name in features, f"the category {name!r} is no feature", did_you_mean(name, features).strip())
    given = {name: len(values) for name, values in outputs.items() if values is not None}
    complaints.check(len(set(given.values())) <= 1, f"outputs on held-out rows have different numbers of rows: {given}")
    complaints.check(
        not given or max(given.values()) >= FEWEST, f"a profile needs {FEWEST} held-out rows", "Pass more rows, or no outputs."
    )
    complaints.check("answers" in given or not given, "there are confidences or true answers without answers")
    complaints.raise_any()
    return rows


def errors_of(answers: Array, truth: Array, *, labels: bool) -> Array:
    """The error of each answer, float64 [N]: 0 or 1 for labels, the absolute error for numbers."""
    if labels:
        return np.asarray([str(a) != str(t) for a, t in zip(answers, truth, strict=True)], np.float64)
    return np.asarray(np.abs(as_numbers(answers, "answers") - as_numbers(truth, "truth")))


def _score(answers: Array, truth: Array, confidence: Array | None) -> Score:
    labels = confidence is not None or np.asarray(answers).dtype.kind != "f"
    errors = errors_of(answers, truth, labels=labels)
    value = float(1 - errors.mean() if labels else errors.mean())
    score = Score(rows=len(errors), labels=labels, value=value, errors=feature_profile("error", errors))
    if confidence is None:
        return score
    threshold = float(np.quantile(confidence, 1 - value))
    sure = np.asarray(confidence) >= threshold
    return score.replace(threshold=threshold, sure_wrong=float(errors[sure].mean()) if sure.any() else 0.0)


def _together(features: tuple[FeatureProfile, ...], bins: Array) -> Together | None:
    """Combinations of columns: the directions of the most and of the least variance, each scaled to the variance 1."""
    numbers = [place for place, one in enumerate(features) if one.kind == NUMBER and np.ptp(score_of_bins(one)) > 0]
    if len(numbers) < 2:
        return None
    scores = _scores(features, bins)
    covariance = np.cov(scores[:, numbers].T) + 1e-6 * np.eye(len(numbers))
    variances, directions = np.linalg.eigh(covariance)
    chosen = np.flatnonzero(variances >= LEAST_VARIANCE)
    if len(chosen) > COMBINATIONS:
        chosen = np.r_[chosen[: COMBINATIONS // 2], chosen[-COMBINATIONS // 2 :]]
    weights = np.zeros((len(chosen), len(features)))
    weights[:, numbers] = (directions[:, chosen] / np.sqrt(variances[chosen])).T
    values = scores @ weights.T
    distance = np.sqrt((values**2).sum(1))
    names = [_name(features, row) for row in weights]
    combinations = [feature_profile(name, values[:, place]) for place, name in enumerate(names)]
    combinations.append(feature_profile("the distance from the middle of the training rows", distance))
    return Together(weights=tuple(tuple(float(weight) for weight in row) for row in weights), combinations=tuple(combinations))


def _name(features: tuple[FeatureProfile, ...], weights: Array) -> str:
    largest = np.argsort(-np.abs(weights))[:SHOWN_COLUMNS]
    return "a combination of " + ", ".join(features[place].name for place in largest if weights[place])


def _scores(features: tuple[FeatureProfile, ...], bins: Array) -> Array:
    """The normal score of each value, zero for missing ones and categories, float64 [N, features]."""
    return np.stack([score_of_bins(one)[bins[:, place]] for place, one in enumerate(features)], axis=1)
