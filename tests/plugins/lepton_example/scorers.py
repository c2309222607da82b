"""Scores of a whole corpus, which are no means over rows."""

from __future__ import annotations

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.metric import SummedScore, ratio

PADDING = -1


def _errors_and_sizes(answers: Array, targets: Array) -> Array:
    return np.stack([np.abs(answers.astype(np.float64) - targets), np.abs(targets.astype(np.float64))], 1)


def _edits_and_lengths(answers: Array, targets: Array) -> Array:
    pairs = ((_unpadded(answer), _unpadded(target)) for answer, target in zip(answers, targets, strict=True))
    return np.array([(_edits(answer, target), len(target)) for answer, target in pairs], np.float64)


def _unpadded(row: Array) -> list[int]:
    return [symbol for symbol in row.tolist() if symbol != PADDING]


def _edits(answer: list[int], target: list[int]) -> int:
    """Insertions, deletions and substitutions from one to the other (Levenshtein, 1966)."""
    before = list(range(len(target) + 1))
    for place, symbol in enumerate(answer, 1):
        now = [place]
        for column, wanted in enumerate(target, 1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (symbol != wanted)))
        before = now
    return before[-1]


def _quotient(sums: Array) -> float:
    return ratio(sums[0], sums[1])


# The errors of all rows, as a share of all targets.
relative_error = SummedScore(_errors_and_sizes, _quotient)
# The edits from answers to targets, as a share of the targets' symbols: rows [N, length] of symbols, padded at the end.
edit_error_rate = SummedScore(_edits_and_lengths, _quotient)
