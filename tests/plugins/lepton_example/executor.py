"""Executors of worker processes on this machine: one that runs a trial at a time, and one whose places come and go."""

from __future__ import annotations

import itertools
import platform
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_automl.execution.executor import ExecutorSettings, Message, Place, PlacesChanged
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.jobs import Decision, Report, TrialJob, TrialResult
from lepton_automl.request import Request, Response

GONE = "its place is gone"


class SingleWorker(LocalExecutor):
    """A local executor that runs one trial after another, however many it may."""

    def __init__(self, slots: int, folder: Path, *, threads: int = 1, name: str = "") -> None:
        super().__init__(min(slots, 1), folder, threads, name=name)


class WanderingWorkers:
    """Each place is a local executor with one slot; the first one vanishes after some reports, and another appears.

    Args:
        slots: Places at once.
        folder: Where their workers write.
        threads: Threads of each.
        name: The study.
        start: What starts the executor of a place.
        reports: After how many reports the first place vanishes; it happens once.
    """

    def __init__(
        self,
        slots: int,
        folder: Path,
        *,
        threads: int = 1,
        name: str = "",
        start: Callable[..., Any] = LocalExecutor,
        reports: float,
    ) -> None:
        self._start = lambda place: start(1, folder / place.id, threads=threads, name=name)
        self._numbers, self._reports = itertools.count(1), reports
        self._executors: dict[Place, Any] = {}
        self._running: dict[int, Place] = {}
        self._waiting: deque[TrialJob] = deque()
        self._ends: list[Message] = []
        for _ in range(slots):
            self._open()

    def _open(self) -> Place:
        place = Place(id=f"place-{next(self._numbers)}", host=platform.node())
        self._executors[place] = self._start(place)
        return place

    def lose_place(self) -> None:
        """The first place vanishes with its trial, and another appears; `poll` reports it."""
        removed = next(iter(self._executors))
        self._executors.pop(removed).close()
        self._ends.append(PlacesChanged(added=(self._open(),), removed=(removed,)))
        for trial in [trial for trial, place in self._running.items() if place == removed]:
            del self._running[trial]
            self._ends.append(TrialResult(trial=trial, status="failed", reason=GONE, fault="place"))

    def places(self) -> tuple[Place, ...]:
        """Those of now."""
        return tuple(self._executors)

    @property
    def slots(self) -> int:
        """One a place, as far as the machine has cores for them."""
        return sum(executor.slots for executor in self._executors.values())

    def request_slots(self, slots: int) -> None:
        """The first places keep theirs."""
        for number, executor in enumerate(self._executors.values()):
            executor.request_slots(int(number < slots))

    def waiting_reason(self) -> str:
        """That of any place, while none has a slot."""
        return "" if self.slots else next(filter(None, (place.waiting_reason() for place in self._executors.values())), "")

    def now(self) -> float:
        """Wall-clock seconds."""
        return time.time()

    def submit(self, job: TrialJob) -> None:
        """To a free place, as soon as there is one."""
        self._waiting.append(job)
        self._assign()

    def _assign(self) -> None:
        for place in self._executors:
            if self._waiting and place not in self._running.values():
                job = self._waiting.popleft()
                self._running[job.trial] = place
                self._executors[place].submit(job)

    def poll(self, timeout: float) -> Sequence[Message]:
        """Of all places."""
        messages, self._ends = self._ends, []
        for executor in list(self._executors.values()):
            messages += executor.poll(0 if messages else timeout / len(self._executors))
        for message in messages:
            if isinstance(message, TrialResult):
                self._running.pop(message.trial, None)
            self._reports -= isinstance(message, Report)
        if self._reports < 0:
            self._reports = float("inf")
            self.lose_place()
        self._assign()
        return messages

    def decide(self, trial: int, decision: Decision) -> None:
        """At the trial's place; one that waits for a place ends."""
        if trial in self._running:
            self._executors[self._running[trial]].decide(trial, decision)
        for job in [job for job in self._waiting if job.trial == trial and decision.stop]:
            self._waiting.remove(job)
            self._ends.append(TrialResult(trial=trial, status=decision.status, reason=decision.reason, epochs=job.done))

    def cancel(self, trial: int, decision: Decision) -> None:
        """Likewise."""
        self.decide(trial, decision)

    def hold(self, *, held: bool) -> None:
        """All places."""
        for executor in self._executors.values():
            executor.hold(held=held)

    def run(self, request: Request, *arguments: Any, **options: Any) -> Response:
        """At the first place."""
        response: Response = next(iter(self._executors.values())).run(request, *arguments, **options)
        return response

    def close(self) -> None:
        """All places."""
        for executor in self._executors.values():
            executor.close()


@dataclass(frozen=True, kw_only=True)
class Wandering(ExecutorSettings):
    """Settings of `WanderingWorkers`.

    Args:
        reports: After how many reports the first place vanishes.
    """

    reports: int = 100

    def __call__(self, slots: int, folder: Path, *, threads: int = 1, name: str = "") -> WanderingWorkers:
        """Start the executor."""
        return WanderingWorkers(slots, folder, threads=threads, name=name, reports=self.reports)
