"""The rows of a bottleneck report: layers, time outside of them, changes, and the names and colours of limits."""

from __future__ import annotations

from lepton_automl.bottleneck import Bottleneck, Change, Row
from lepton_automl.roofline import Bound

# By Okabe and Ito (Color Universal Design, 2008): distinguishable with any colour vision.
COLOURS: dict[Bound, str] = {"arithmetic": "#D55E00", "memory": "#0072B2", "dispatch": "#009E73"}
NAMES: dict[Bound, str] = {"arithmetic": "compute-bound", "memory": "memory-bound", "dispatch": "overhead-bound"}
OUTSIDE = "#999999"
MOST_LAYERS, MOST_CHANGES = 24, 10  # shown individually
CALL, BEFORE, REST = "call overhead", "preprocessing", "unattributed"


def shown(bottleneck: Bottleneck) -> list[Row]:
    """The layers that take most of the time, in order of execution; the others are shown as one row."""
    rows = bottleneck.layers
    most = rows if len(rows) <= MOST_LAYERS + 1 else sorted(rows, key=lambda row: -row.time.ms)[:MOST_LAYERS]
    return [row for row in rows if row in most]


def outside(bottleneck: Bottleneck, others: list[Row]) -> dict[str, float]:
    """The time outside the layers shown, in milliseconds by name."""
    left = bottleneck.outside_ms - bottleneck.profile.outside_ms - bottleneck.preprocess_ms
    times = {f"{len(others)} other layers": sum(row.time.ms for row in others)} if others else {}
    times |= {CALL: bottleneck.profile.outside_ms, BEFORE: bottleneck.preprocess_ms}
    return times | ({REST: left} if left > 0.01 * bottleneck.latency.median else {})


def shown_changes(bottleneck: Bottleneck) -> list[Change]:
    """The changes with a measured or a significant predicted gain."""
    return [
        change for change in bottleneck.changes if change.actual or change.predicted_ms > 0.001 * bottleneck.latency.median
    ][:MOST_CHANGES]
