"""Made-up rows with answers, and their profile."""

from __future__ import annotations

import functools

import numpy as np

from lepton_automl.monitoring.profile import Profile, profile_of
from lepton_automl.monitoring.rows import Calls, Feedback, Rows

OTHER = {"yes": "no", "no": "yes"}


def features(rng, rows):
    shared = rng.normal(size=rows)
    return {
        "age": 40 + 10 * shared,
        "income": np.exp(shared / 2 + 0.3 * rng.normal(size=rows)),
        "height": np.where(rng.random(rows) < 0.03, np.nan, 170 + 8 * rng.normal(size=rows)),
        "city": rng.choice(["Bern", "Basel", "Chur"], rows, p=[0.6, 0.3, 0.1]).astype(object),
    }


def outputs(rng, rows, right=0.85):
    answers = np.where(rng.random(rows) < 0.3, "yes", "no").astype(object)
    confidence = 0.5 + 0.5 * rng.beta(5, 2, rows)
    wrong = rng.random(rows) >= right
    truth = np.array([OTHER[a] if w else a for a, w in zip(answers, wrong, strict=True)], object)
    return answers, confidence, truth


@functools.cache
def profile() -> Profile:
    rng = np.random.default_rng(0)
    answers, confidence, truth = outputs(rng, 4000)
    return profile_of(
        features(rng, 6000),
        answers=answers,
        confidence=confidence,
        truth=truth,
        latency_ms=latencies(rng, 2000),
        failures=0.001,
    )


def latencies(rng, calls):
    return np.exp(0.2 * rng.normal(size=calls))


def rows(rng, count, change=None) -> Rows:
    known = features(rng, count)
    answers, confidence, _ = outputs(rng, count)
    if change is not None:
        change(known, rng)
    return Rows(features=known, answers=answers, confidence=confidence)


def feedback(rng, count, right=0.85, liar=None) -> Feedback:
    answers, confidence, truth = outputs(rng, count, right)
    keys = rng.choice(["ann", "bob", "eve"], count).astype(object)
    if liar is not None:
        truth = np.array([OTHER[a] if k == liar else t for a, t, k in zip(answers, truth, keys, strict=True)], object)
    return Feedback(truth=truth, answers=answers, confidence=confidence, keys=keys)


def calls(rng, count, slower=1.0, failing=0.001) -> Calls:
    failed = rng.random(count) < failing
    return Calls(latency_ms=np.where(failed, np.nan, slower * latencies(rng, count)), failed=failed)
