"""The contract of watchers, kept by each of ours on made-up rows."""

from __future__ import annotations

import numpy as np
import pytest

from lepton_automl.monitoring.monitor import Monitor
from lepton_automl.monitoring.profile import Profile
from lepton_automl.monitoring.rows import Rows
from lepton_automl.monitoring.watcher import get_watcher
from lepton_automl.testing.watcher import WatcherContract

from . import samples


class Inputs(WatcherContract):
    name = ""

    @property
    def watcher(self):
        return get_watcher(self.name)

    def profile(self):
        return samples.profile()

    def quiet(self, rng, rows):
        return samples.rows(rng, rows)

    def changed(self, rng, rows):
        return samples.rows(rng, rows, self.change)

    def change(self, features, rng):
        raise NotImplementedError


class TestDrift(Inputs):
    name = "drift"

    def change(self, features, rng):
        features["age"] += 5


class TestTogether(Inputs):
    name = "together"

    def change(self, features, rng):
        features["income"] = rng.permutation(features["income"])


class TestMissing(Inputs):
    name = "missing"

    def change(self, features, rng):
        features["age"][rng.random(len(features["age"])) < 0.1] = np.nan


class TestUnseen(Inputs):
    name = "unseen"

    def change(self, features, rng):
        features["city"][rng.random(len(features["city"])) < 0.1] = "Genf"


class TestUnit(Inputs):
    name = "unit"

    def change(self, features, rng):
        features["height"] /= 100


class TestStuck(Inputs):
    name = "stuck"

    def change(self, features, rng):
        features["income"][:] = 1.5


class TestAnswers(Inputs):
    name = "answers"

    def changed(self, rng, rows):
        batch = samples.rows(rng, rows)
        return Rows(features=batch.features, answers=np.where(rng.random(rows) < 0.5, "yes", "no"), confidence=batch.confidence)


class TestConfidence(Inputs):
    name = "confidence"

    def changed(self, rng, rows):
        batch = samples.rows(rng, rows)
        return Rows(features=batch.features, answers=batch.answers, confidence=batch.confidence - 0.1)


class TestScore(Inputs):
    name = "score"

    def quiet(self, rng, rows):
        return samples.feedback(rng, rows)

    def changed(self, rng, rows):
        return samples.feedback(rng, rows, right=0.7)


class TestPoisoned(TestScore):
    name = "poisoned"

    def changed(self, rng, rows):
        return samples.feedback(rng, rows, liar="eve")


class TestLatency(Inputs):
    name = "latency"

    def quiet(self, rng, rows):
        return samples.calls(rng, rows)

    def changed(self, rng, rows):
        return samples.calls(rng, rows, slower=2.0)


class TestFailures(TestLatency):
    name = "failures"

    def changed(self, rng, rows):
        return samples.calls(rng, rows, failing=0.05)


def found(change):
    """What all watchers find of a change of the rows, in four windows after four quiet ones."""
    monitor, rng = Monitor(samples.profile()), np.random.default_rng(5)
    for _ in range(4):
        assert not monitor.rows(samples.rows(rng, 500))
    return [one for _ in range(4) for one in monitor.rows(samples.rows(rng, 500, change))]


@pytest.mark.parametrize(
    ("watcher", "feature", "words"),
    [
        (TestMissing, "age", "are missing more often"),
        (TestUnseen, "city", "categories that the training data do not have"),
        (TestUnit, "height", "multiplied by 0.01"),
        (TestStuck, "income", "repeats the value of the row before"),
    ],
)
def test_evidence_names_the_feature_and_the_change(watcher, feature, words):
    evidence = found(watcher().change)
    own = next(one for one in evidence if one.watcher == watcher.name)
    assert own.features[0] == feature and words in own.what
    assert 1950 <= own.since <= 2050


def test_a_feature_in_another_distribution_is_shown_beside_the_expected_one():
    (evidence, *_) = [one for one in found(TestDrift().change) if one.watcher == "drift"]
    middle = np.arange(len(evidence.histogram.labels))
    assert np.average(middle, weights=evidence.histogram.seen) > np.average(middle, weights=evidence.histogram.expected) + 1
    assert str(evidence).startswith("Values of 'age' are larger") and "Since about row 2,0" in str(evidence)


def test_a_change_of_the_truth_is_seen_by_true_answers_alone():
    """The inputs and the confidences are as before: the score that is estimated from confidences is blind to it."""
    monitor, rng = Monitor(samples.profile()), np.random.default_rng(6)
    assert not [one for _ in range(8) for one in monitor.rows(samples.rows(rng, 500))]
    names = {one.watcher for _ in range(2) for one in monitor.feedback(samples.feedback(rng, 500, right=0.6))}
    assert names == {"score"}


def test_a_lying_key_is_told_from_a_change_that_all_keys_report():
    watch = get_watcher("poisoned").start(samples.profile(), 0.02)
    rng = np.random.default_rng(7)
    assert not [one for _ in range(4) for one in watch.feedback(samples.feedback(rng, 500, right=0.6))]
    evidence = watch.feedback(samples.feedback(rng, 500, right=0.6, liar="eve"))
    assert evidence and all("'eve'" in one.what for one in evidence)


def test_rows_that_are_sent_again_are_no_stuck_sensor():
    rng = np.random.default_rng(8)
    watch = get_watcher("stuck").start(samples.profile(), 0.02)
    known = {name: values[[0] * 500] for name, values in samples.features(rng, 1).items()}
    known["height"][:], known["city"][:] = 170.0, "Chur"
    (evidence,) = watch.rows(Rows(features=known))
    assert "the same rows are sent again" in evidence.what and len(evidence.features) == 4


def test_a_pause_of_the_machine_counts_once():
    watch, rng = get_watcher("latency").start(samples.profile(), 0.02), np.random.default_rng(9)
    batch = samples.calls(rng, 300, slower=5.0)
    paused = type(batch)(latency_ms=batch.latency_ms, failed=batch.failed, seconds=np.full(300, 12.0))
    assert not watch.calls(paused)
    assert watch.calls(type(batch)(latency_ms=batch.latency_ms, failed=batch.failed, seconds=np.arange(20, 320.0)))


def test_watchers_without_what_they_need_take_no_part():
    assert list(Monitor(Profile(rows=0)).watches) == ["failures"]
    assert len(Monitor(samples.profile()).watches) == 12
