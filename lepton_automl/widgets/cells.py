"""Format values for tables."""

from __future__ import annotations

import math
from typing import Any

from lepton_automl.reporting.labels import clean

FULL = 1e4  # from here on a number is written in full, not as 1.023e+07


def cell(value: Any) -> str:
    """The text of a value in a table."""
    if missing(value):
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if FULL <= abs(value) < math.inf else f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return clean(value, 120)


def missing(value: Any) -> bool:
    """Whether a value is None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))
