"""Bins, bets and detection: what holds for any data, and false-alarm rates by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_automl.monitoring.bets import missing_bets, shift_bets, unit_bets, unseen_bets
from lepton_automl.monitoring.bins import ABOVE, BELOW, CATEGORY, MISSING, UNSEEN, feature_profile, normal_quantile
from lepton_automl.monitoring.detector import Detector
from lepton_automl.monitoring.mixture import LOOK, Mixture

numbers = st.lists(st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.integers(-3, 3).map(float)), min_size=1)
texts = st.lists(st.one_of(st.none(), st.text(max_size=2)), min_size=1)


@given(numbers)
def test_every_number_of_the_training_rows_has_a_bin_in_range(column):
    feature = feature_profile("x", np.array(column))
    bins, finite = feature.bin(np.array(column)), np.isfinite(column)
    assert sum(feature.counts) == len(column) and bins.min() >= 0 and bins.max() < len(feature.counts)
    assert not np.isin(bins[finite], [MISSING, BELOW, ABOVE]).any()
    assert (bins[np.isnan(column)] == MISSING).all() and len(feature.labels()) == len(feature.counts)


@given(texts)
def test_every_category_of_the_training_rows_is_known(column):
    feature = feature_profile("x", np.array([*column, "z"], object))
    assert feature.kind == CATEGORY and sum(feature.counts) == len(column) + 1
    assert UNSEEN not in feature.bin(np.array(column, object))
    assert feature.bin(np.array(["never seen"], object)) == UNSEEN


@given(st.one_of(numbers.map(np.array), texts.map(lambda column: np.array(column, object))))
@settings(deadline=None)
def test_a_bet_neither_gains_nor_loses_on_average_while_nothing_changes(column):
    feature = feature_profile("x", column)
    p = feature.probabilities()
    assert p.min() > 0 and p.sum() == pytest.approx(1)
    for bet in [bet for bettor in (shift_bets, missing_bets, unseen_bets, unit_bets) for bet in bettor(feature)]:
        assert p @ np.exp(bet.log) == pytest.approx(1, rel=1e-6), bet.change


def test_normal_quantiles_are_close_to_exact_ones():
    from scipy.stats import norm

    share = np.linspace(0.001, 0.999, 999)
    assert np.abs(normal_quantile(share) - norm.ppf(share)).max() < 0.02


@given(st.integers(0, 10_000), st.lists(st.integers(1, 6), min_size=1, max_size=6))
@settings(deadline=None, max_examples=30)
def test_a_mixture_is_its_recursion_however_rows_are_divided(seed, parts):
    rng = np.random.default_rng(seed)
    names, weights = [(0, "a", 1.0), (0, "b", 1.0), (1, "a", 1.0)], np.array([1.0, 2.0, 1.0])
    ratios = rng.normal(0.02, 0.3, (sum(parts) * LOOK, 3))
    mixture = Mixture(0.02)
    mixture.place(names, weights)
    expected, first = np.zeros(3), 0
    for part in parts:
        rows = ratios[first : first + part * LOOK]
        found = mixture.update(rows)
        for look in range(part):
            expected = (expected + LOOK) * np.exp(rows[look * LOOK : (look + 1) * LOOK].sum(0))
            if expected @ weights / 4 >= 500 / 0.02:
                assert found[0].row == first + (look + 1) * LOOK and found[0].evidence == pytest.approx(
                    np.log(expected @ weights / 4)
                )
                return
        first += part * LOOK
        assert not found and mixture.evidence == pytest.approx(np.log(expected @ weights / 4))


def test_features_with_enough_evidence_of_their_own_are_all_named():
    mixture = Mixture(0.02)
    mixture.place([(0, "a", 1.0), (1, "a", 1.0), (2, "a", 1.0)], np.ones(3))
    (found, *_) = mixture.update(np.tile([0.4, 0.41, -0.1], (40, 1)))
    assert found.owners == (1, 0) and found.owner == 1 and found.since == 0


def alarms(rows: int, windows: int, seed: int) -> int:
    """False alarms of a detector on eight features, given a profile of so many rows."""
    rng = np.random.default_rng(seed)
    known = [feature_profile(str(place), column) for place, column in enumerate(rng.normal(size=(8, rows)))]
    detector = Detector(known, lambda feature: shift_bets(feature) + missing_bets(feature) + unseen_bets(feature), 0.02)
    found = 0
    for _ in range(windows):
        fresh = rng.normal(size=(500, 8))
        found += len(detector.update(np.stack([one.bin(fresh[:, place]) for place, one in enumerate(known)], axis=1)))
    return found


@pytest.mark.parametrize("rows", [500, 2000])
def test_a_profile_of_few_rows_raises_no_more_false_alarms_than_stated(rows):
    count = sum(alarms(rows, 100, seed) for seed in range(4))
    assert count <= 16  # 400 windows at a rate of 0.02: more has a probability of 0.3 %


@pytest.mark.slow
@pytest.mark.parametrize("rows", [500, 4000, 20000])
def test_the_stated_false_alarm_rate_holds_over_thousands_of_windows(rows):
    count = sum(alarms(rows, 300, seed) for seed in range(10))
    assert 12 <= count <= 60 + 23  # 3,000 windows; the rate is an upper bound, and not a loose one


def test_rows_that_look_different_are_not_learned():
    """After an alarm, the rows since the change began do not count as normal."""
    rng = np.random.default_rng(0)
    feature = feature_profile("x", rng.normal(size=1000))
    detector = Detector([feature], shift_bets, 0.02)
    detector.update(feature.bin(rng.normal(size=1000))[:, None])
    detector.update(feature.bin(rng.normal(2, 1, size=1000))[:, None])
    counts = np.asarray(detector.features[0].counts)
    assert detector.features[0].rows < 2200 and counts[ABOVE] < 30


def test_a_change_that_lasts_does_not_hide_another_and_is_reported_less_and_less_often():
    mixture = Mixture(0.02)
    mixture.place([(0, "a", 1.0), (1, "a", 1.0)], np.ones(2))
    ratios = np.tile([3.0, -0.1], (8000, 1))
    ratios[1200:1400, 1] = 0.3
    found = mixture.update(ratios)
    assert [one.row for one in found if one.owner == 0] == [10, 520, 1530, 3540, 7550]
    (other,) = [one for one in found if one.owner == 1]
    assert 1200 <= other.since <= other.row <= 1270
