"""What a tracking store is told, as values: it knows nothing of MLflow, and the store nothing of studies."""

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
        value: Its value; NaN is kept.
        ms: When, in milliseconds since the epoch; the same each time, so that writing it twice leaves one.
        step: Epochs of a trial, ended trials of a study.
    """

    name: str
    value: float
    ms: int
    step: int = 0


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What is to be written about one run.

    Args:
        key: The tag, and its value, that the run is found by.
        name: What people see.
        start_ms: When it began, in milliseconds since the epoch.
        whole: Whether the run is made where it is not found; else the record is only a change to it.
        status: The run's status; empty to leave it.
        end_ms: When it ended; None while it runs.
        texts: Text artifacts, by path.
        dataset: What data the run used.
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
    """Several values of one moment, in seconds since the epoch."""
    for name, value in values.items():
        yield Point(name, float(value), ms(at), step)


def flag(truth: bool) -> str:  # noqa: FBT001  # the truth is all it takes
    """A truth as a tag says it."""
    return "true" if truth else "false"


def ms(at: float) -> int:
    """Seconds since the epoch in milliseconds."""
    return round(at * 1000)
