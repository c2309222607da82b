"""What runs trials: a protocol that knows neither objectives nor networks.

Executors are plug-ins of the kind `"executors"`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lepton_automl import plugins
from lepton_automl._json import Value
from lepton_automl.jobs import Decision, Report, TrialJob, TrialResult
from lepton_automl.request import Request, Response


@dataclass(frozen=True, kw_only=True)
class Place(Value):
    """Where trials run.

    Args:
        id: Its name, which no other place of the executor has had.
        host: The machine.
        device: The device that trials use there.
        slots: Trials that may run there at once.
    """

    id: str
    host: str
    device: str = "cpu"
    slots: int = 1


@dataclass(frozen=True, kw_only=True)
class PlacesChanged(Value):
    """Places have come or gone. Each trial on a place that is gone ends as a failure whose fault is `"place"`.

    Args:
        added: The new ones.
        removed: Those that are gone.
    """

    added: tuple[Place, ...] = ()
    removed: tuple[Place, ...] = ()

    @property
    def text(self) -> str:
        """What happened, in a sentence."""
        parts = [("can be used now", self.added), ("can no longer be used", self.removed)]
        return "; ".join(
            f"{', '.join(f'{place.id} on {place.host}' for place in places)} {what}" for what, places in parts if places
        )


Message = Report | TrialResult | PlacesChanged


class Executor(Protocol):
    """Runs trials on so many slots at once. All methods are called from one thread."""

    def places(self) -> tuple[Place, ...]:
        """Where trials run; `poll` reports every change."""

    @property
    def slots(self) -> int:
        """Trials that may run at once; it may change whenever `poll` or `run` is called, and be 0 for a while."""

    def request_slots(self, slots: int) -> None:
        """Say how many slots can be used from now on, so that others may have those that are left over."""

    def waiting_reason(self) -> str:
        """What it waits for while it has no slot at all, in words; empty where it has one, or needs none."""

    def now(self) -> float:
        """Seconds since the epoch, by the clock that budgets are kept by (a simulated executor has its own)."""

    def submit(self, job: TrialJob) -> None:
        """Start a trial while fewer than `slots` trials run; one whose place is gone may be submitted at once, and waits."""

    def poll(self, timeout: float) -> Sequence[Message]:
        """What happened since the last call; waits up to `timeout` seconds for the first message."""

    def decide(self, trial: int, decision: Decision) -> None:
        """Answer a report that waits."""

    def cancel(self, trial: int, decision: Decision) -> None:
        """Ask a trial to end at its next batch or epoch; its result still arrives by `poll`."""

    def hold(self, *, held: bool) -> None:
        """Let all trials stand still where they are, or go on; nothing is lost by it."""

    def run(
        self,
        request: Request,
        on_tick: Callable[[], None] = lambda: None,
        told: Callable[[str], None] = lambda _: None,
        *,
        limit: float | None = None,
    ) -> Response:
        """Run a request and wait for its answer. Call only while no trial runs; one that still does was written off, and stops.

        Args:
            request: What to do.
            on_tick: Called a few times a second until it is done; the request is broken off by what it raises.
            told: Called with what is being done, where the request says so.
            limit: Seconds of work that it may take; None for as long as it gives signs of life.

        Raises:
            LeptonError: It failed; the message says why.
        """

    def close(self) -> None:
        """End all workers at once."""


class ExecutorFactory(Protocol):
    """What an entry point of the kind `"executors"` names, such as an executor's class."""

    def __call__(self, slots: int, folder: Path, *, threads: int = 1, name: str = "") -> Executor:
        """Start an executor.

        Args:
            slots: Trials that may run at once.
            folder: Where its workers may write, such as their logs.
            threads: Threads of each worker.
            name: The study that it works for.
        """


def start_executor(executor: str, slots: int, folder: Path, *, threads: int = 1, name: str = "") -> Executor:
    """Start the executor of a name; for the other arguments see `ExecutorFactory`.

    Raises:
        ConfigError: There is none of that name.
        ExtraError: Its package cannot be imported.
    """
    factory: ExecutorFactory = plugins.load("executors", executor)
    return factory(slots, folder, threads=threads, name=name)
