"""Worker processes on this machine: the default executor."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import selectors
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from lepton_automl import memory
from lepton_automl.errors import StudyError
from lepton_automl.jobs import NO_TRIAL, Decision, Report, TrialJob, TrialResult
from lepton_automl.locks import is_stopped, measurement_lock_path
from lepton_automl.measurement_lock import MeasurementLock
from lepton_automl.request import Request, Response
from lepton_automl.workspace import LocalWorkspace, Workspace

from .background import BackgroundRequests
from .channel import Heartbeat, ReplacementRequest
from .ends import ABSENT, WorkTimer, check_starts, exit_reason, fix, gib, memory_hint
from .executor import Message, Place
from .process import Process, without_pauses
from .slots import Slots

TRIAL_FUNCTION = "lepton_automl.pipelines.trial:run_trial"
PATIENCE = 120.0  # seconds without a heartbeat, in which even a large network is exported
EPOCHS_OF_PATIENCE = 20  # or this many times the longest epoch seen, if that is longer
LOOK = 1.0  # seconds between checks of memory
TRIES = 2  # attempts at a request whose worker hangs
TICK = 0.2  # seconds between other checks while a request runs
STOPPED = 10.0  # seconds of silence after which a worker counts as hung if another process has stopped it
ABANDONED = Decision(stop=True, reason="it was abandoned")
MEASURING = 10.0  # seconds for a measuring worker to release the measurement lock before all are stopped


class LocalExecutor:
    """Keeps worker processes alive between trials, and replaces those that die, hang or use too much memory.

    No more of them work than it has slots of the machine (`Slots`), which it shares with all other studies of the user: the
    others are stopped until it has more.

    Args:
        slots: Maximum number of worker processes.
        folder: The folder of their logs, one per worker.
        threads: Threads of each worker.
        trial_function: The function that runs a trial, as `"module:function"`: called with the job, a function that reports, and
            one that sends a heartbeat.
        patience: Seconds of silence after which a worker counts as hung, unless its epochs are long.
        memory_limit: Bytes that one worker may use; None for its share of what is free now.
        name: The name of the study, which waiting studies show; by default that of the folder above `folder`.
        workspace: Where the study's files are; by default in the folder above `folder`.
    """

    def __init__(
        self,
        slots: int,
        folder: Path,
        threads: int = 1,
        *,
        trial_function: str = TRIAL_FUNCTION,
        patience: float = PATIENCE,
        memory_limit: float | None = None,
        name: str = "",
        workspace: Workspace | None = None,
    ) -> None:
        self._most = self._needed = slots
        self._folder, self._threads, self._trial_function = folder, threads, trial_function
        self._workspace = workspace or LocalWorkspace(folder.absolute().parent)
        self._patience, self._longest = patience, 0.0
        self._limit = memory.share(slots) if memory_limit is None else memory_limit
        self._ends: list[Message] = []
        self._failed_starts, self._held, self._closed = 0, False, False
        self._polled = self._looked = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        self._workers: list[Process] = []
        self._pending: deque[TrialJob] = deque()
        self._background = BackgroundRequests()
        home = folder.absolute().parents[2] if len(folder.absolute().parents) > 2 else folder.absolute()
        self._slots = Slots(name or folder.absolute().parent.name, str(home))
        self._slots.want = slots
        self._share()

    def places(self) -> tuple[Place, ...]:
        """This machine."""
        return (Place(id="local", host=platform.node(), slots=self._most),)

    @property
    def slots(self) -> int:
        """Number of trials that may run at once now: the slots that it holds."""
        return min(self._slots.have, self._most)

    def request_slots(self, slots: int) -> None:
        """Set how many slots can be used from now on; the rest is returned."""
        self._needed = min(slots, self._most)
        if not self._held:
            self._slots.want = self._needed

    def waiting_reason(self) -> str:
        """Which other studies it waits for, if it has no slot and could use one; empty if it does not wait."""
        return "" if self._held else self._slots.behind

    def now(self) -> float:
        """Wall-clock seconds since the epoch."""
        return time.time()

    def submit(self, job: TrialJob) -> None:
        """Give a trial to a free worker, as soon as one may work."""
        self._pending.append(job)
        self._share()

    def request(self, request: Request) -> None:
        """Give a request to a free worker, as soon as one may work, before waiting trials."""
        self._background.waiting.append(request)
        self._share()

    def poll(self, timeout: float) -> Sequence[Message]:
        """Reports and results since the last call; a worker's death arrives as its trial's failure.

        Raises:
            StudyError: Workers fail to start.
        """
        self._share()
        messages = self._take_ends()
        with selectors.DefaultSelector() as selector:
            for number, worker in enumerate(self._workers):
                selector.register(worker.channel, selectors.EVENT_READ, number)
            for key, _ in selector.select(0 if messages else timeout):
                messages += self._receive(key.data)
        self._watch()
        return messages + self._take_ends()

    def decide(self, trial: int, decision: Decision) -> None:
        """Answer the worker that runs a trial; ignored if it has died."""
        for job in [job for job in self._pending if job.trial == trial and decision.stop]:
            self._pending.remove(job)
            self._ends.append(TrialResult(trial=trial, status=decision.status, reason=decision.reason, epochs=job.done))
        for worker in self._workers:
            if worker.trial == trial:
                worker.awaits_decision, worker.last_message = False, time.monotonic()
                with contextlib.suppress(OSError):  # `poll` detects that it died
                    worker.channel.send(decision)

    def cancel(self, trial: int, decision: Decision) -> None:
        """Ask a trial to end."""
        self.decide(trial, decision)

    def hold(self, *, held: bool) -> None:
        """Stop the worker processes and return their slots, or let them continue as slots become free.

        For some seconds, none is stopped while it measures: all others would wait for it.
        """
        self._held = held
        if held:
            until = time.monotonic() + MEASURING
            while not self._stop(self._workers) and time.monotonic() < until:
                time.sleep(0.005)
            self._stop(self._workers, at_once=True)
            self._slots.release()
        self._slots.want = 0 if held else self._needed
        self._share()

    def _stop(self, workers: Sequence[Process], *, at_once: bool = False) -> bool:
        """Stop workers, unless one of them may be measuring; returns whether they are stopped."""
        going = [worker for worker in workers if not worker.stopped]
        ours = {os.getpid(), *(worker.popen.pid for worker in self._workers)}
        with contextlib.ExitStack() as measurement_locks:
            locks = {worker.job.measurement_lock for worker in going if worker.job is not None}
            for path in {measurement_lock_path(), *locks} if going else ():
                measurement_lock = MeasurementLock(path)
                measurement_locks.callback(measurement_lock.close)
                if not measurement_lock.try_acquire() and not at_once and measurement_lock.holder in {None, *ours}:
                    return False
            for worker in going:
                worker.stop()
        return True

    def _share(self) -> None:
        """Let as many workers work as there are slots: stop the excess ones, continue others, hand out trials."""
        share = self._slots.tick()
        if self._held:
            return
        allowed = min(share, self._slots.have)
        working = [worker for worker in self._workers if worker.works and not worker.stopped]
        are_stopped = [self._stop([worker]) for worker in working[allowed:]]  # try every one, even if one is measuring
        if self._slots.have > share and all(are_stopped):
            self._slots.release(keep=share)
        while len(self._workers) < self._slots.have:
            self._workers.append(self._start(len(self._workers)))
        free = allowed - len(working[:allowed])
        for worker in sorted((worker for worker in self._workers if worker.stopped), key=lambda worker: not worker.works):
            if free > 0:
                worker.go_on()
                free -= worker.works
        while (self._pending or self._background.waiting) and free > 0:
            number = next(
                (number for number, worker in enumerate(self._workers) if not worker.works and not worker.stopped), None
            )
            if number is None:
                break
            self._hand(number, None if self._background.waiting else self._pending.popleft())
            free -= 1

    def run(
        self,
        request: Request,
        on_tick: Callable[[], None] = lambda: None,
        on_status: Callable[[str], None] = lambda _: None,
        *,
        limit: float | None = None,
    ) -> Response:
        """Run a request on the first worker; a worker that hangs is replaced, once.

        Args:
            request: What to do.
            on_tick: Called a few times a second.
            on_status: Called with what is being done, if the request reports it.
            limit: Maximum seconds of work, on all workers that it needs; None for no limit.

        Raises:
            StudyError: It failed, took too long, or its worker died or hung.
        """
        self._pending.clear()
        self._background.waiting.clear()
        if self._workers and self._workers[0].request is not None:
            self._restart_worker(0)
        before = self._needed
        self.request_slots(1)
        try:
            return self._answer(request, on_tick, on_status, math.inf if limit is None else limit)
        finally:
            self.request_slots(before)
            if self._workers and (
                self._workers[0].busy or self._workers[0].needs_replacement
            ):  # its response is no longer awaited
                self._restart_worker(0)

    def _answer(self, request: Request, on_tick: Callable[[], None], status: Callable[[str], None], limit: float) -> Response:
        clock, hung = WorkTimer(limit), 0
        while True:
            worker = self._free_worker(on_tick, status)
            with contextlib.suppress(OSError):  # a worker that is dead already is detected below
                if worker.job is not None:  # it may wait for a decision that nothing else will send
                    worker.job = None
                    worker.channel.send(ABANDONED)
                worker.busy, worker.last_message = True, time.monotonic()
                worker.send(request)
            why = ""
            while (values := worker.receive_within(TICK)) is not None:
                on_tick()
                self._share()
                if values:
                    self._failed_starts = 0
                for value in values:
                    worker.needs_replacement |= isinstance(value, ReplacementRequest)
                    if isinstance(value, TrialResult) and value.trial == NO_TRIAL:  # else that of an abandoned trial
                        worker.busy = False
                        raise StudyError(value.reason, where="worker", fix=f"Traceback of the worker:\n{value.traceback}")
                    if isinstance(value, Response):
                        worker.busy = False
                        return value
                    if isinstance(value, Heartbeat) and value.text:
                        status(value.text)
                clock.tick(worker)
                if why := clock.late() or self._silent(worker):
                    worker.trace()
                    break
            self._replace_worker(0, why)
            hung += bool(why)
            if clock.late() or hung == TRIES:
                raise StudyError(f"a worker did not finish a request: {why}", where="worker", fix=fix(worker))
            if worker.ready and not why:  # a failed start says nothing about the request
                raise StudyError("a worker ended unexpectedly", where="worker", fix=f"The end of its output:\n{worker.tail()}")

    def _free_worker(self, on_tick: Callable[[], None], on_status: Callable[[str], None]) -> Process:
        """The first worker, once there is a slot for it."""
        while not self._slots.have or not self._workers:
            on_tick()
            on_status(self.waiting_reason())
            time.sleep(TICK)
            self._share()
        return self._workers[0]

    def close(self) -> None:
        """Kill all workers; trials that still run are lost."""
        if not self._closed:
            for worker in self._workers:
                worker.kill()
            self._slots.close()
        self._closed = True

    def _hand(self, number: int, job: TrialJob | None) -> None:
        """Give a trial to a worker, or the next request."""
        worker = self._workers[number]
        try:
            self._background.hand(worker) if job is None else worker.take(job)
        except OSError:
            self._replace_worker(number)

    def _take_ends(self) -> list[Message]:
        ends, self._ends = self._ends, []
        return [*ends]

    def _receive(self, number: int) -> list[Message]:
        worker = self._workers[number]
        values = worker.receive()
        if values is None:
            self._replace_worker(number)
            return []
        self._failed_starts = 0
        worker.needs_replacement |= any(isinstance(value, ReplacementRequest) for value in values)
        messages = [
            without_pauses(value, worker.paused_seconds, printed=worker.printed())
            if isinstance(value, TrialResult)
            else without_pauses(value, worker.paused_seconds)
            for value in values
            if isinstance(value, Report | TrialResult) and value.trial != NO_TRIAL
        ]
        for value in messages:
            since = worker.note(value)
            if isinstance(value, Report) and value.epoch > 0:
                self._longest = max(self._longest, since)
            if isinstance(value, TrialResult) and (worker.needs_replacement or value.fault == "worker"):
                self._restart_worker(number)
        return [*messages, *self._background.ends(worker, values)]

    # Health checks

    def _watch(self) -> None:
        """Replace workers that hang, or that use too much memory on a machine that is nearly out of it."""
        now = time.monotonic()
        if now - self._polled > ABSENT:
            for worker in self._workers:
                worker.last_message = max(worker.last_message, now)
        self._polled = now
        for number, worker in enumerate(self._workers):
            active = worker.request is not None or (worker.job is not None and not worker.awaits_decision)
            if active and (why := self._silent(worker)):
                worker.trace()
                self._replace_worker(number, why)
        if now - self._looked > LOOK:
            self._looked = now
            self._watch_memory()

    def _silent(self, worker: Process) -> str:
        """Why a working worker counts as hung; empty if it does not."""
        silent = time.monotonic() - worker.last_message
        if worker.stopped or silent <= min(self._patience, STOPPED):
            return ""
        if silent > max(self._patience, EPOCHS_OF_PATIENCE * self._longest):
            return f"the worker process hung: no sign of life for {silent:.0f} s"
        return f"a signal stopped the worker process {silent:.0f} s ago" if is_stopped(worker.popen.pid) else ""

    def _watch_memory(self) -> None:
        heavy = []
        for number, worker in enumerate(self._workers):
            held = worker.measure_memory()
            if held > self._limit:
                worker.needs_replacement = True  # it is replaced after its trial
                heavy.append((held, number))
        if heavy and memory.nearly_out():
            held, number = max(heavy)
            why = f"it held {gib(held)} of memory, its share is {gib(self._limit)}, and the machine was almost out of memory"
            self._replace_worker(number, f"the worker process was killed: {why}")

    def _replace_worker(self, number: int, why: str = "") -> None:
        """Replace a worker that is dead or must be killed; its trial fails, unless the worker never started."""
        worker = self._workers[number]
        job, printed, code = worker.job, worker.printed(), worker.kill()
        if not worker.ready and not why:
            self._failed_starts += 1
            check_starts(self._failed_starts, worker, code)
        self._workers[number] = self._start(number)
        self._ends += self._background.lost(worker, why or f"the worker process died ({exit_reason(code)})")
        if job is None:
            return
        if worker.ready or why:
            reason = why or f"the worker process died ({exit_reason(code)}{memory_hint(worker, code)})"
            result = TrialResult(trial=job.trial, status="failed", reason=reason, traceback=worker.tail(), fault="worker")
            self._ends.append(result.replace(printed=printed))
        else:
            self._hand(number, job)

    def _restart_worker(self, number: int) -> None:
        """Replace an idle worker with a new process, which frees whatever the old one still holds."""
        self._workers[number].kill()
        self._workers[number] = self._start(number)

    def _start(self, number: int) -> Process:
        worker = Process(self._folder / f"worker-{number}.log", self._trial_function, self._threads, self._workspace)
        if self._held:
            worker.stop()
        return worker
