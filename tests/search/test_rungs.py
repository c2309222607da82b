"""Rungs and early stopping as pure functions."""

from __future__ import annotations

import pytest

from lepton_automl.search.stopping import is_promoted, rungs


def test_rungs_end_before_the_last_epoch():
    assert rungs(1, 8) == (1, 2, 4)
    assert rungs(3, 10, eta=3) == (3, 9)
    assert rungs(5, 5) == ()


@pytest.mark.parametrize(
    ("costs", "others", "expected"),
    [
        ([0.5, 1.0], [], True),  # the first always goes on
        ([0.5, 2.0], [[0.4, 1.0]], False),  # dominated by the only other
        ([0.3, 2.0], [[0.4, 1.0]], True),  # both on the front, both at its ends: none is more crowded
        ([0.3, 0.5], [[0.4, 1.0]], True),
        ([0.9, 0.1], [[0.1, 1.0], [0.2, 2.0], [0.3, 3.0]], True),  # the fastest is on the front, however bad its score
        ([0.4, 4.0], [[0.1, 1.0], [0.2, 2.0], [0.3, 3.0]], False),
        ([0.2, 2.0], [[0.1, 3.0], [0.15, 2.5], [0.3, 1.0]], True),  # in a crowd, but beaten by none
    ],
)
def test_the_better_half_by_rank_continues(costs, others, expected):
    assert is_promoted(costs, others) is expected
