"""The benchmark of watchers: its streams change what they say and nothing else, and levels are found."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import drift
from benchmarks.drift_streams import kolmogorov, methods, streams
from benchmarks.drift_streams.sources import Source


def predict(raw):
    size = raw["size"] + np.where(raw["kind"] == "b", 1.0, 0.0)
    return np.where(size > 0, "big", "small").astype(object), 1 / (1 + np.exp(-np.abs(size)))


def some_rows(rng, rows):
    size = rng.normal(size=rows)
    return {
        "size": size,
        "age": size + rng.normal(size=rows),
        "kind": rng.choice(["a", "b"], rows).astype(object),
    }


@pytest.fixture(scope="module")
def source():
    rng = np.random.default_rng(0)
    training, held_out, pool = (some_rows(rng, rows) for rows in (3000, 2000, 8000))
    answers, confidence = predict(held_out)
    truth = np.where(rng.random(8000) < 0.9, predict(pool)[0], "big").astype(object)
    known = np.where(rng.random(2000) < 0.9, answers, "big").astype(object)
    return Source(
        name="made up",
        raw=pool,
        truth=truth,
        categories=("kind",),
        predict=predict,
        features=lambda raw: raw,
        training=training,
        held_out=(answers, confidence, known),
    )


TABULAR = [name for name, (_, sources) in streams.SCRIPTS.items() if "adult" in sources]


@pytest.mark.parametrize("name", TABULAR)
def test_a_stream_is_quiet_until_its_change(source, name):
    stream, again = (streams.make(name, source, 3) for _ in range(2))
    assert all(np.array_equal(stream.features[one], again.features[one]) for one in source.raw)
    assert 5000 <= stream.start < 5500 and len(stream) == stream.start + 5000
    pool = {column: set(values.tolist()) for column, values in source.raw.items()}
    for column, values in stream.features.items():
        assert set(values[: stream.start].tolist()) <= pool[column]
        changed = set(values[stream.start :].tolist()) - pool[column]
        assert bool(changed) == (column == stream.column and name in {"unit change", "noise", "new category"})


def test_pictures_are_rotated_about_their_middle():
    pixels = np.zeros((1, 28, 28), np.uint8)
    pixels[0, 13:15, 20:24] = 200
    turned = streams.rotated(pixels, 90)
    assert turned.sum() == pytest.approx(pixels.sum(), rel=0.01)
    assert abs(np.average(np.arange(28), weights=turned[0].sum(0)) - 13.5) < 0.1
    assert np.array_equal(streams.rotated(pixels, 0), pixels)


@pytest.mark.parametrize("name", ["unit change", "label shift", "concept drift"])
def test_methods_find_a_change(source, name):
    stream = streams.make(name, source, 1)
    for method, level in (("ours", 0.02), ("ks", 0.001)):
        found = drift._watched(method, source, stream, level)
        assert found["delay"] is not None and found["false"] <= 1, method


def test_tests_of_windows_keep_their_level_on_quiet_rows(source):
    quiet = [streams.quiet(source, seed, 20) for seed in range(5)]
    smallest = np.concatenate([kolmogorov.p_values(source, stream) for stream in quiet])
    assert (smallest <= 0.01).mean() < 0.05
    assert len(methods.ks(source, quiet, 2.0)[0]) > 5


def test_a_level_is_searched_between_those_on_both_sides():
    assert drift._next_level({0.01: 0.0}) == 0.03 and drift._next_level({0.03: 0.1}) == pytest.approx(0.01)
    assert drift._next_level({0.01: 0.0, 0.04: 0.1}) == pytest.approx(0.02)
    low, high = drift.wilson(20, 1000)
    assert low == pytest.approx(0.013, abs=0.001) and high == pytest.approx(0.0307, abs=0.001)
