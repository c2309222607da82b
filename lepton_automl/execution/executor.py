"""What runs trials: a protocol that knows neither objectives nor networks.

Executors are plug-ins of the kind `"executors"`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from lepton_automl import plugins
from lepton_automl.jobs import Decision, Report, TrialJob, TrialResult
from lepton_automl.request import Request, Response

Message = Report | TrialResult


class Executor(Protocol):
    """Runs trials on so many slots at once. All methods are called from one thread."""

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
        """Start a trial; call only while fewer than `slots` trials run."""

    def poll(self, timeout: float) -> Sequence[Message]:
        """What the trials said since the last call; waits up to `timeout` seconds for the first word."""

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
