"""Every row has one role; classes keep their shares, groups their side, and time its arrow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_automl.data.splits import OPEN, TEST, TRAIN, VALIDATION, Plan, Roles, assign
from lepton_automl.errors import DataError


def split(
    rows: int, given: np.ndarray | None = None, folds: int | None = 0, seed: int = 0, share: float = 0.2, **by: np.ndarray
) -> Roles:
    roles = np.full(rows, OPEN, np.int8) if given is None else given
    return assign(roles, Plan(share, 0.2, folds, seed), **by)


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 400), st.integers(1, 5), st.sampled_from([0, 2, 5, None]), st.integers(0, 9))
def test_a_split_is_a_partition_that_holds_the_shares(rows: int, classes: int, folds: int | None, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, classes, rows)
    roles = split(rows, folds=folds, seed=seed, labels=labels)
    parts = [roles.rows(role) for role in (TRAIN, VALIDATION, TEST)]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(rows))
    assert len(parts[2]) == round(0.2 * rows)
    for label in range(classes):
        count = (labels == label).sum()
        assert abs((labels[parts[2]] == label).sum() - 0.2 * count) <= 1
    assert np.array_equal(roles.role, split(rows, folds=folds, seed=seed, labels=labels).role)
    if roles.folds:
        held = np.bincount(roles.fold[parts[0]], minlength=roles.folds)
        assert held.max() - held.min() <= 1 and (roles.fold[parts[2]] == -1).all()


def test_a_class_of_two_rows_can_be_learned() -> None:
    labels = np.array([0] * 98 + [1, 1])
    assert 1 in labels[split(100, labels=labels).rows(TRAIN)]


@settings(max_examples=30, deadline=None)
@given(st.integers(8, 60), st.integers(0, 9), st.sampled_from([0, 3]))
def test_a_group_stays_on_one_side(groups: int, seed: int, folds: int) -> None:
    of = np.random.default_rng(seed).integers(0, groups, 10 * groups).astype(str)
    roles = split(len(of), groups=of, folds=folds, seed=seed)
    side = np.where(roles.role == TRAIN, roles.fold if folds else 0, -roles.role.astype(int) - 1)
    assert all(len(set(side[of == group])) == 1 for group in set(of))
    assert 0.05 < len(roles.rows(TEST)) / len(of) < 0.4


def test_time_runs_from_train_to_validation_to_test() -> None:
    times = np.random.default_rng(0).permutation(100)
    roles = split(100, folds=None, times=times)
    train, validation, test = (times[roles.rows(role)] for role in (TRAIN, VALIDATION, TEST))
    assert train.max() < validation.min() and validation.max() < test.min()
    assert (len(train), len(validation), len(test)) == (64, 16, 20)


def test_given_roles_are_kept() -> None:
    given = np.array([TEST] * 10 + [OPEN] * 90, np.int8)
    assert np.array_equal(split(100, given).rows(TEST), np.arange(10))
    given[10:20] = VALIDATION
    roles = split(100, given, folds=None)
    assert not roles.folds and np.array_equal(roles.rows(VALIDATION), np.arange(10, 20))


def test_few_rows_are_cross_validated_and_many_are_capped() -> None:
    assert split(1249, folds=None).folds == 5
    roles = split(200_000, folds=None)
    assert not roles.folds and len(roles.rows(VALIDATION)) == 10_000


@pytest.mark.parametrize(
    ("rows", "by"), [(2, {}), (50, {"groups": np.array(["a"] * 50)}), (50, {"groups": np.array(["a", "b"] * 25)})]
)
def test_too_few_rows_or_groups_are_refused(rows: int, by: dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError, match="too few rows"):
        split(rows, **by)


def test_folds_would_break_time() -> None:
    with pytest.raises(DataError, match="later"):
        split(50, folds=5, times=np.arange(50))
