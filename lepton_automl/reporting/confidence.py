"""Confidence intervals of scores."""

from __future__ import annotations

import math

TWO_SIDED = 1.96  # standard errors of a 95 % interval


def interval(share: float, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share, from its number of rows (Wilson, Probable Inference, 1927)."""
    square = TWO_SIDED**2 / max(rows, 1)
    middle = (share + square / 2) / (1 + square)
    wide = TWO_SIDED * math.sqrt(max(0.0, share * (1 - share) / max(rows, 1) + square / (4 * max(rows, 1)))) / (1 + square)
    return max(0.0, middle - wide), min(1.0, middle + wide)
