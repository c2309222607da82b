"""The split of the rows: a role for each, training, validation or test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl.errors import DataError

Array = NDArray[Any]
TRAIN, VALIDATION, TEST, OPEN = 0, 1, 2, -1  # OPEN: not decided yet
MOST_VALIDATION = 10_000
FEW_ROWS = 1_000  # below this, scores on one validation split are too uncertain
FOLDS = 5


@dataclass(frozen=True)
class Plan:
    """How to split.

    Args:
        test_share: Share of the rows for the test split, if no test rows are given.
        validation_share: Share of the rest for the validation split.
        folds: Number of folds; 0 for a validation split; None to decide by the number of rows.
        seed: Seeds the shuffles.
    """

    test_share: float
    validation_share: float
    folds: int | None
    seed: int


@dataclass(frozen=True)
class Roles:
    """The role of each row.

    Args:
        role: int8 [N], TRAIN, VALIDATION or TEST.
        fold: int8 [N], the fold a row is held out in; empty without cross-validation.
        notes: How the roles were decided.
    """

    role: Array
    fold: Array
    notes: tuple[str, ...]

    @property
    def folds(self) -> int:
        """The number of folds; 0 for none."""
        return int(self.fold.max()) + 1 if len(self.fold) else 0

    def rows(self, role: int) -> Array:
        """The rows of one role, in the source's order."""
        return np.flatnonzero(self.role == role)


def assign(
    assigned: Array, plan: Plan, *, labels: Array | None = None, groups: Array | None = None, times: Array | None = None
) -> Roles:
    """Give every row a role.

    Args:
        assigned: int8 [N]: roles that the source itself sets, else OPEN. If it sets test rows, no others are split off.
        plan: Shares, folds and seed.
        labels: Class indices [N]; their proportions are kept.
        groups: The group of each row [N]; groups are not split.
        times: The time of each row [N]; later rows are validation, the latest test.

    Raises:
        DataError: Too few rows or groups.
    """
    rng = np.random.default_rng(plan.seed)
    role = assigned.astype(np.int8).copy()
    notes: list[str] = []
    cut = _Cut(rng, labels, groups, times)
    if (role == TEST).any():
        notes.append(f"the given test split is used ({(role == TEST).sum():,} rows)")
    else:
        open_rows = np.flatnonzero(role == OPEN)
        test_rows = cut.take(open_rows, round(plan.test_share * len(open_rows)))
        role[test_rows] = TEST
        notes.append(f"{len(test_rows):,} rows ({plan.test_share:.0%}) are held out as the test split, {cut.how}")
    left = np.flatnonzero(role == OPEN)
    if (role == VALIDATION).any():
        role[left] = TRAIN
        notes.append(f"the given validation split is used ({(role == VALIDATION).sum():,} rows)")
    elif (folds := _folds(plan, len(left), times)) > 0:
        role[left] = TRAIN
        fold = np.full(len(role), -1, np.int8)
        fold[left] = cut.assign_folds(left, folds)
        notes.append(f"scores are cross-validated over {folds} folds, as {len(left):,} rows are too few to spare some")
        return _checked(Roles(role, fold, tuple(notes)))
    else:
        chosen = cut.take(left, min(MOST_VALIDATION, round(plan.validation_share * len(left))))
        role[left] = TRAIN
        role[chosen] = VALIDATION
        notes.append(f"{len(chosen):,} rows are the validation split, {cut.how}")
    return _checked(Roles(role, np.empty(0, np.int8), tuple(notes)))


def _folds(plan: Plan, rows: int, times: Array | None) -> int:
    if plan.folds is not None:
        if plan.folds and times is not None:
            raise DataError(
                "folds would let a network learn from rows later than those it is scored on",
                where="folds",
                fix="Set folds=0, or leave out time_column.",
            )
        return plan.folds
    return FOLDS if rows < FEW_ROWS and times is None else 0


def _checked(roles: Roles) -> Roles:
    few = [name for name, role in (("train", TRAIN), ("test", TEST)) if not len(roles.rows(role))]
    if not roles.folds and not len(roles.rows(VALIDATION)):
        few.append("validation")
    if roles.folds and len(np.unique(roles.fold[roles.fold >= 0])) < roles.folds:
        few.append("every fold")
    if few:
        fix = "Give more rows (or groups), or change test_share, validation_share or folds."
        raise DataError(f"too few rows: none are left for {' and '.join(few)}", where="splits", fix=fix)
    return roles


@dataclass(frozen=True)
class _Cut:
    """Splits rows off: by time, by group, in proportion to the labels, or at random, in this order of precedence."""

    rng: np.random.Generator
    labels: Array | None
    groups: Array | None
    times: Array | None

    @property
    def how(self) -> str:
        if self.times is not None:
            return "the latest"
        if self.groups is not None:
            return "in whole groups"
        return "at random" if self.labels is None else "at random, each class in proportion"

    def take(self, rows: Array, count: int) -> Array:
        """About `count` of the rows; none if that would take every group."""
        count = min(max(1, count), max(1, len(rows) - 1))
        if self.times is not None:
            return rows[np.argsort(self.times[rows], kind="stable")[len(rows) - count :]]
        order = self._order(rows)
        if self.groups is None:
            return order[:count]
        first = self._shuffled_groups(rows)
        sizes = np.bincount(first)
        taken = max(1, int(np.searchsorted(np.cumsum(sizes), count)))
        return rows[first < taken] if taken < len(sizes) else rows[:0]

    def assign_folds(self, rows: Array, folds: int) -> Array:
        """A fold for each row."""
        if self.groups is not None:
            return (self._shuffled_groups(rows) % folds).astype(np.int8)
        fold = np.empty(len(rows), np.int8)
        place = {row: at for at, row in enumerate(rows.tolist())}
        fold[[place[row] for row in self._by_class(rows).tolist()]] = np.arange(len(rows)) % folds
        return fold

    def _shuffled_groups(self, rows: Array) -> Array:
        """The number of each row's group; groups are numbered from 0 in random order."""
        assert self.groups is not None
        _, numbers = np.unique(self.groups[rows], return_inverse=True)
        return np.asarray(self.rng.permutation(numbers.max() + 1)[numbers])

    def _by_class(self, rows: Array) -> Array:
        """Shuffled rows, sorted by class."""
        shuffled = self.rng.permutation(rows)
        return shuffled if self.labels is None else shuffled[np.argsort(self.labels[shuffled], kind="stable")]

    def _order(self, rows: Array) -> Array:
        """Shuffled rows in an order whose every prefix has the classes in proportion.

        Row k of the n rows of a class, counted from 0, is placed at (k + 1/2) / n of the way.
        """
        if self.labels is None:
            return self.rng.permutation(rows)
        ordered = self._by_class(rows)
        _, starts, counts = np.unique(self.labels[ordered], return_index=True, return_counts=True)
        rank = np.arange(len(ordered)) - np.repeat(starts, counts)
        place = (rank + 0.5) / np.repeat(counts, counts)
        return np.asarray(ordered[np.argsort(place, kind="stable")])
