"""The protocol of executors, which run trials; it knows neither objectives nor networks.

Executors are plug-ins of the kind `"executors"`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

from lepton_automl import plugins
from lepton_automl._json import Value
from lepton_automl.errors import ConfigError
from lepton_automl.jobs import Decision, Report, TrialJob, TrialResult
from lepton_automl.request import Request, Response


@dataclass(frozen=True, kw_only=True)
class Place(Value):
    """Where trials run.

    Args:
        id: Its name; an executor uses each name only once.
        host: The machine.
        device: The device that trials use there.
        slots: Number of trials that may run there at once.
    """

    id: str
    host: str
    device: str = "cpu"
    slots: int = 1


@dataclass(frozen=True, kw_only=True)
class PlacesChanged(Value):
    """Places were added or removed. Each trial on a removed place ends as a failure whose fault is `"place"`.

    Args:
        added: The new places.
        removed: The removed places.
    """

    added: tuple[Place, ...] = ()
    removed: tuple[Place, ...] = ()

    @property
    def text(self) -> str:
        """The change, in a sentence."""
        parts = [("can be used now", self.added), ("can no longer be used", self.removed)]
        return "; ".join(
            f"{', '.join(f'{place.id} on {place.host}' for place in places)} {what}" for what, places in parts if places
        )


@dataclass(frozen=True, kw_only=True)
class RequestFailed(Value):
    """A request that ran beside trials has no response.

    Args:
        reason: Why, in a sentence.
    """

    reason: str


Message = Report | TrialResult | PlacesChanged | Response | RequestFailed


class Executor(Protocol):
    """Runs trials on a number of slots. All methods are called from one thread."""

    def places(self) -> tuple[Place, ...]:
        """Where trials run; `poll` reports every change."""

    @property
    def slots(self) -> int:
        """Number of trials that may run at once; it may change whenever `poll` or `run` is called, and be 0 for a while."""

    def request_slots(self, slots: int) -> None:
        """Set how many slots can be used from now on, so that other studies may use the rest."""

    def waiting_reason(self) -> str:
        """The reason why it waits while it has no slot at all; empty if it has one, or needs none."""

    def now(self) -> float:
        """Seconds since the epoch, by the clock that budgets use (a simulated executor has its own)."""

    def submit(self, job: TrialJob) -> None:
        """Start a trial while fewer than `slots` trials run; one whose place is gone may be submitted at once, and waits."""

    def poll(self, timeout: float) -> Sequence[Message]:
        """The messages since the last call; waits up to `timeout` seconds for the first message."""

    def decide(self, trial: int, decision: Decision) -> None:
        """Answer a report that waits for a decision."""

    def cancel(self, trial: int, decision: Decision) -> None:
        """Ask a trial to end at its next batch or epoch; its result still arrives by `poll`."""

    def hold(self, *, held: bool) -> None:
        """Hold all trials where they are, or let them continue; nothing is lost."""

    def run(
        self,
        request: Request,
        on_tick: Callable[[], None] = lambda: None,
        on_status: Callable[[str], None] = lambda _: None,
        *,
        limit: float | None = None,
    ) -> Response:
        """Run a request and wait for its response. Call only while no trial runs; one that still does was abandoned, and stops.

        Args:
            request: What to do.
            on_tick: Called a few times a second until it is done; an exception from it aborts the request.
            on_status: Called with what is being done, if the request reports it.
            limit: Maximum seconds of work; None for as long as it sends heartbeats.

        Raises:
            LeptonError: It failed; the message gives the reason.
        """

    def close(self) -> None:
        """End all workers at once."""


@runtime_checkable
class BackgroundExecutor(Protocol):
    """An executor that handles requests while trials run."""

    def request(self, request: Request) -> None:
        """Run a request on a free slot, before trials that wait for one; its response, or `RequestFailed`, arrives by `poll`.

        It is abandoned without a message by a later call of `run`.
        """


class ExecutorFactory(Protocol):
    """What an entry point of the kind `"executors"` names, such as an executor's class."""

    def __call__(self, slots: int, folder: Path, *, threads: int = 1, name: str = "") -> Executor:
        """Start an executor.

        Args:
            slots: Number of trials that may run at once.
            folder: Where its workers may write, such as their logs.
            threads: Threads of each worker.
            name: The study that it works for.
        """


class ExecutorSettings(Value):
    """Settings of a user-defined executor, such as a cluster's address: `AutoML(executor=Cluster(address="..."))`.

    A subclass is a frozen dataclass and an `ExecutorFactory`, and its entry point names the class; by name alone, it is
    started with the defaults. A study stores it as JSON, to start its executor again when it is resumed.
    """

    def __call__(self, slots: int, folder: Path, *, threads: int = 1, name: str = "") -> Executor:
        """Start the executor; see `ExecutorFactory`."""
        raise NotImplementedError


def name_of_executor(executor: object) -> str:
    """The name of an executor that is given by name or by its settings.

    Raises:
        ConfigError: A resumed study could not start it again.
    """
    if isinstance(executor, str):
        return executor
    if not isinstance(executor, ExecutorSettings):
        what = f"executor is a {type(executor).__name__}, which a study could not start again when it is resumed"
        raise ConfigError(what, where="executor", fix="Pass a name, or settings that derive from ExecutorSettings.")
    try:
        json.dumps(executor.to_json(), allow_nan=False)
    except (TypeError, ValueError) as error:
        what = f"the settings of {type(executor).__name__} cannot be stored as JSON: {error}"
        raise ConfigError(
            what, where="executor", fix="Let its fields hold numbers, texts, and tuples or dicts of these."
        ) from error
    for name in plugins.names("executors"):
        if plugins.load("executors", name) is type(executor):
            return name
    what = f"{type(executor).__name__} is not a plug-in, so a study could not start it again when it is resumed"
    fix = f"Register the class: an entry point of the group {plugins.PREFIX}executors."
    raise ConfigError(what, where="executor", fix=fix)


def start_executor(
    executor: str,
    slots: int,
    folder: Path,
    *,
    threads: int = 1,
    name: str = "",
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> Executor:
    """Start an executor by its name; for the other arguments see `ExecutorFactory`.

    Args:
        settings: The JSON of its `ExecutorSettings`, if it has any; fields that are left out have their defaults.

    Raises:
        ConfigError: There is none with that name, or the settings are wrong.
        ExtraError: Its package cannot be imported.
    """
    factory: ExecutorFactory = plugins.load("executors", executor)
    if isinstance(factory, type) and issubclass(factory, ExecutorSettings):
        factory = factory.from_json(dict(settings))
    return factory(slots, folder, threads=threads, name=name)
