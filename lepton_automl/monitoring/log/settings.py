"""What is logged, how much of it, and for how long: a JSON value."""

from __future__ import annotations

from dataclasses import dataclass

from lepton_automl._json import Value
from lepton_automl.errors import Complaints


@dataclass(frozen=True, kw_only=True)
class LogSettings(Value):
    """Settings of a log.

    Args:
        share: The share of answers that are logged; which ones depends on their ids alone.
        max_mb: The most megabytes (1,000,000 bytes) on the disk; the oldest segments are removed first.
        max_days: The most days that rows are kept.
        never: Features that are never written.
        raw: Whether raw inputs are logged besides the features.
        max_waiting: The most rows that wait to be written; more are dropped and counted.
        flush_seconds: The most seconds that rows wait: what a crash of the process loses.
        segment_mb: Megabytes after which a segment is closed.
        segment_hours: Hours after which it is closed at the latest.

    Raises:
        ConfigError: A setting is out of range.
    """

    share: float = 1.0
    max_mb: float = 1000.0
    max_days: float = 30.0
    never: tuple[str, ...] = ()
    raw: bool = False
    max_waiting: int = 10_000
    flush_seconds: float = 1.0
    segment_mb: float = 16.0
    segment_hours: float = 24.0

    def __post_init__(self) -> None:
        complaints = Complaints("LogSettings")
        complaints.check(0 <= self.share <= 1, f"share is {self.share!r}; it must be from 0 to 1")
        for name in ("max_mb", "max_days", "max_waiting", "flush_seconds", "segment_mb", "segment_hours"):
            value = getattr(self, name)
            complaints.check(value > 0, f"{name} is {value!r}; it must be more than 0")
        complaints.check(
            self.segment_mb <= self.max_mb,
            f"segment_mb is {self.segment_mb!r} and max_mb is {self.max_mb!r}",
            "Choose smaller segments, or allow more megabytes.",
        )
        complaints.raise_any()
