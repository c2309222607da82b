"""What the widgets ask of a study. The service hands in something that can do it; the widgets never look for it themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lepton_automl.events import Event
from lepton_automl.space import Setting
from lepton_automl.state import StudyState

OVER = frozenset({"ended", "lost"})  # statuses after which nothing happens by itself


class StudyReader(Protocol):
    """A study as a window reads it; `study.client.StudyClient` is one."""

    def poll(self) -> tuple[str, StudyState, list[Event]]:
        """How it stands in a word, the state, and the events that led there since the last look."""


class Control(Protocol):
    """Commands to a study, which return when its search has recorded them; `study.control.StudyControl` is one."""

    def pause(self) -> None:
        """Hold all trials."""

    def resume(self) -> None:
        """Go on."""

    def stop(self, *, wait: bool = True) -> None:
        """End the search."""

    def extend(
        self, *, minutes: float | None = None, trials: int | None = None, epochs: int | None = None, cost: float | None = None
    ) -> None:
        """Add to the budget, by unit."""

    def limit(self, *, max_latency_ms: float | None) -> None:
        """Change the hard limit on latency; None lifts it."""

    def pin(self, config: Mapping[str, Setting]) -> None:
        """Pin hyperparameters."""

    def unpin(self, *names: str) -> None:
        """Unpin hyperparameters."""

    def retune(self, trial: int) -> None:
        """Try neighbours of a trial next."""


class Pages(Protocol):
    """A study in MLflow; `study.tracking.StudyTracking` is one."""

    def page(self, trial: int) -> str:
        """The address of a trial's run in an MLflow page on this machine."""


class StudyDriver(Protocol):
    """A study as a window's buttons drive it; `study.study.Study` is one."""

    @property
    def name(self) -> str:
        """The study's name."""

    @property
    def folder(self) -> Path:
        """Where its files lie."""

    @property
    def control(self) -> Control:
        """Its commands."""

    @property
    def tracking(self) -> Pages:
        """Its pages in MLflow."""

    def model(self, trial: int) -> Any:
        """A finished trial's model; see `study.model.Model`."""


@dataclass(frozen=True, kw_only=True)
class StudySnapshot:
    """What a view is drawn from.

    Args:
        state: The study.
        status: How it stands, in a word.
        now: Seconds since the epoch; where nothing happens any more, when it last did.
        news: Events since the last look.
        chosen: The trial that a person looks at.
    """

    state: StudyState
    status: str
    now: float
    news: tuple[Event, ...] = ()
    chosen: int | None = None
