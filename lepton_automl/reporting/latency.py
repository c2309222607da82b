"""Latencies as people read them: microseconds below a millisecond."""

from __future__ import annotations

from collections.abc import Sequence

MICRO = 1e3  # microseconds in a millisecond


def latency_text(ms: float, digits: int = 3) -> str:
    """A latency with its unit: `"26.1 µs"` or `"1.35 ms"`.

    Args:
        ms: The latency in milliseconds.
        digits: Significant digits.
    """
    unit = latency_unit([ms])
    return f"{in_unit(ms, unit):.{digits}g} {unit}"


def latency_range(low: float, high: float, digits: int = 4) -> str:
    """Two latencies with their common unit: `"25.55 to 26.09 µs"`.

    Args:
        low: The lower one in milliseconds.
        high: The higher one.
        digits: Significant digits.
    """
    unit = latency_unit([high])
    return f"{in_unit(low, unit):.{digits}g} to {in_unit(high, unit):.{digits}g} {unit}"


def latency_unit(latencies: Sequence[float]) -> str:
    """The unit for several latencies in milliseconds: `"µs"` if none reaches a millisecond, else `"ms"`."""
    return "µs" if latencies and max(latencies) < 1 else "ms"


def in_unit(ms: float, unit: str) -> float:
    """A latency in milliseconds in a unit of `latency_unit`."""
    return ms * MICRO if unit == "µs" else ms
