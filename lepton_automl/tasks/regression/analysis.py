"""How far predicted numbers are off."""

from __future__ import annotations

from itertools import islice

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.task import Analysis

PAIRS = 1_000  # rows of which truth and answer are kept


def analyze_numbers(answers: Array, truth: Array, worst: int) -> Analysis:
    """The rows that are furthest off, and how far answers are off in general.

    Args:
        answers: Values [N] in the target's own unit.
        truth: Likewise.
        worst: So many rows are listed.
    """
    far = answers.astype(np.float64) - truth
    distance = np.abs(far)
    wrong = (row for row in np.argsort(-distance, kind="stable").tolist() if short(answers[row]) != short(truth[row]))
    rows = list(islice(wrong, worst))
    listed = [(row, {"truth": short(truth[row]), "answer": short(answers[row]), "loss": float(distance[row])}) for row in rows]
    kept = np.sort(np.random.default_rng(0).permutation(len(truth))[:PAIRS])
    parts = {
        "pairs": tuple((short(truth[row]), short(answers[row])) for row in kept),
        "bias": float(far.mean()),
        "spread": tuple(float(part) for part in np.quantile(distance, (0.5, 0.9, 1.0))),
    }
    return Analysis(worst=listed, parts=parts)


def short(number: float) -> float:
    """A number in the six digits that are left of it: targets are stored standardised, in 32 bits."""
    return float(f"{number:.6g}")
