"""The splits of a small tree on one column."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from lepton_automl.modalities.table import split_points as module
from lepton_automl.modalities.table.split_points import split_points

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=3_000).round(2)
DIFFERENT, RANKS = np.unique(VALUES, return_inverse=True)


@pytest.mark.parametrize(
    "targets",
    [
        (VALUES > 0.3).astype(np.int64) ^ (RNG.random(3_000) < 0.2),
        RNG.integers(0, 5, 3_000),
        np.sin(3 * VALUES) + RNG.normal(size=3_000),
        1e30 * np.exp(2 * VALUES),
        np.stack([VALUES > 0.3, np.sin(3 * VALUES) > RNG.normal(size=3_000)], axis=1).astype(np.int64),
    ],
)
def test_they_are_those_of_scikit_learns_tree(targets):
    kind = DecisionTreeRegressor if targets.dtype.kind == "f" else DecisionTreeClassifier
    scale = 1e-30 if targets.max() > 1e20 else 1  # which its impurity cannot square
    scaled = targets * scale if targets.dtype.kind == "f" else targets
    tree = kind(max_leaf_nodes=16, min_samples_leaf=10, random_state=0).fit(RANKS[:, None], scaled).tree_
    expected = np.ceil(tree.threshold[tree.feature >= 0]).astype(int)
    assert sorted(split_points(RANKS, targets, leaves=16, least=10)) == sorted(expected)


def test_pure_and_small_leaves_are_not_split():
    assert not len(split_points(RANKS, np.ones(3_000), leaves=16, least=10))
    assert not len(split_points(RANKS, np.zeros(3_000, np.int64), leaves=16, least=10))
    assert not len(split_points(RANKS, RNG.normal(size=3_000), leaves=16, least=1_501))
    assert split_points(RANKS, (RANKS >= 100).astype(np.int64), leaves=16, least=1).tolist() == [100]


def test_many_classes_are_counted_by_groups_of_values(monkeypatch):
    monkeypatch.setattr(module, "MOST_NUMBERS", 200)
    (found,) = split_points(RANKS, (RANKS >= 300).astype(np.int64), leaves=2, least=10)
    assert abs(int(found) - 300) <= -(-len(DIFFERENT) * 2 // 200)
