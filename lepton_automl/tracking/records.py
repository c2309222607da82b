"""Records for a tracking store, as plain values: independent of MLflow, and the store independent of studies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .dataset import DatasetRecord

TRIAL, STUDY = "lepton.trial_uid", "lepton.study_uid"
NOTE = "mlflow.note.content"  # the tag that MLflow shows as a run's description


@dataclass(frozen=True)
class Point:
    """One value of one metric.

    Args:
        name: The metric.
        value: The value, possibly NaN.
        ms: Milliseconds since the epoch; derived from the event, so that writing a point twice stores it once.
        step: Epochs of a trial, or ended trials of a study.
    """

    name: str
    value: float
    ms: int
    step: int = 0


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """The content of a run, or a change to it.

    Args:
        key: The tag and its value that identify the run.
        name: The display name.
        start_ms: The start, in milliseconds since the epoch.
        whole: Whether to create a missing run; else the record only changes an existing one.
        status: The run's status; empty to leave it.
        end_ms: The end, in milliseconds since the epoch; None while it runs.
        texts: Text artifacts, by path.
        dataset: The data that the run used.
    """

    key: tuple[str, str]
    name: str
    start_ms: int
    whole: bool = True
    status: str = ""
    end_ms: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    metrics: tuple[Point, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    dataset: DatasetRecord | None = None


def points(values: Mapping[str, float], at: float, step: int) -> Iterator[Point]:
    """Several values at one time, in seconds since the epoch."""
    for name, value in values.items():
        yield Point(name, float(value), ms(at), step)


def flag(truth: bool) -> str:  # noqa: FBT001  # its only argument
    """A boolean as the value of a tag."""
    return "true" if truth else "false"


def ms(at: float) -> int:
    """Seconds since the epoch in milliseconds."""
    return round(at * 1000)
