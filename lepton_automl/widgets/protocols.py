"""The interfaces of a study that the widgets use. The service passes the implementations in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lepton_automl.events import Event
from lepton_automl.space import Setting
from lepton_automl.state import StudyState

OVER = frozenset({"ended", "lost"})  # statuses in which no search process is running


class StudyReader(Protocol):
    """The read interface of a study; `study.client.StudyClient` is one."""

    def poll(self) -> tuple[str, StudyState, list[Event]]:
        """The status, the state, and the events since the last poll."""


class Control(Protocol):
    """Commands to a study; each returns when the search has recorded it; `study.control.StudyControl` is one."""

    def pause(self) -> None:
        """Pause all trials."""

    def resume(self) -> None:
        """Resume the search."""

    def stop(self, *, wait: bool = True) -> None:
        """Stop the search."""

    def extend(
        self, *, minutes: float | None = None, trials: int | None = None, epochs: int | None = None, cost: float | None = None
    ) -> None:
        """Add to the budget, by unit."""

    def limit(self, *, max_latency_ms: float | None) -> None:
        """Set the hard limit on latency; None removes it."""

    def pin(self, config: Mapping[str, Setting]) -> None:
        """Fix hyperparameters at values."""

    def unpin(self, *names: str) -> None:
        """Release fixed hyperparameters."""

    def retune(self, trial: int) -> None:
        """Try variations of a trial next."""


class Pages(Protocol):
    """A study in MLflow; `study.tracking.StudyTracking` is one."""

    def page(self, trial: int) -> str:
        """The URL of a trial's run in an MLflow UI on this machine."""


class ReportWriter(Protocol):
    """The report of a study; `study.report.StudyReport` is one."""

    def write(self, *, progress: bool = True) -> Path:
        """Write it to the study's folder."""


class StudyDriver(Protocol):
    """The interface of a study behind the buttons; `study.study.Study` is one."""

    @property
    def name(self) -> str:
        """The study's name."""

    @property
    def folder(self) -> Path:
        """The study's folder."""

    @property
    def control(self) -> Control:
        """Commands to the search."""

    @property
    def tracking(self) -> Pages:
        """The study in MLflow."""

    @property
    def report(self) -> ReportWriter:
        """Its report."""

    def evaluate_test(self) -> Any:
        """Score the front on the sealed test split."""

    def add_note(self, text: str, *, trial: int | None = None) -> None:
        """Write a note into the study's journal."""

    def model(self, trial: int) -> Any:
        """A finished trial's model; see `study.model.StudyModel`."""


@dataclass(frozen=True, kw_only=True)
class StudySnapshot:
    """A study at one moment, as the views draw it.

    Args:
        state: The study.
        status: The status of the study, such as `"running"`.
        now: Seconds since the epoch; if the search is over, the time of the last event.
        news: Events since the last poll.
        chosen: The selected trial.
    """

    state: StudyState
    status: str
    now: float
    news: tuple[Event, ...] = ()
    chosen: int | None = None
