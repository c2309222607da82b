"""Worker processes on this machine: the embedded default."""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from lepton_automl import memory
from lepton_automl.errors import StudyError
from lepton_automl.jobs import NOBODY, Decision, Report, TrialJob, TrialResult
from lepton_automl.locks import gate_path, is_stopped
from lepton_automl.measurement_lock import Gate

from .channel import Beat, Spent
from .ends import ABSENT, Worked, exit_of, fix, gib, swollen
from .executor import Message, WorkerRequest, WorkerResponse
from .process import Process
from .slots import Slots

WALK = "lepton_automl.pipelines.trial:run_trial"
PATIENCE = 120.0  # seconds without a sign of life, in which even a large network is packed
EPOCHS_OF_PATIENCE = 20  # or so many times the longest epoch seen, if that is longer
LOOK = 1.0  # seconds between looks at memory
TRIES = 2  # of a request whose worker hangs
TICK = 0.2  # seconds between looks at other things, while an errand is run
STOPPED = 10.0  # seconds of silence of a worker that somebody else has stopped
BIRTHS = 3  # workers in a row that die before they say anything
WRITTEN_OFF = Decision(stop=True, reason="it was written off")
MEASURING = 10.0  # seconds that a measurer gets to leave the gate before all stand still


Said = TypeVar("Said", Report, TrialResult)


class LocalExecutor:
    """Keeps worker processes alive between trials, and replaces those that die, hang or swell.

    No more of them work than it has slots of the machine (`Slots`), which it shares with all other studies of the user: the
    others stand still until it has more.

    Args:
        slots: Worker processes at most.
        folder: Where their output goes, one log a worker.
        threads: Threads of each.
        walk: What runs a trial, as `"module:function"`: called with the job, a function that reports, and one that gives a
            sign of life.
        patience: Seconds of silence after which a worker counts as hung, unless its epochs are long.
        memory_limit: Bytes that one worker may hold; None for its share of what is free now.
        name: Whose workers they are, as other studies name it while they wait; by default the folder above `folder`.
    """

    def __init__(
        self,
        slots: int,
        folder: Path,
        threads: int = 1,
        *,
        walk: str = WALK,
        patience: float = PATIENCE,
        memory_limit: float | None = None,
        name: str = "",
    ) -> None:
        self._most = self._needed = slots
        self._folder, self._threads, self._walk = folder, threads, walk
        self._patience, self._longest = patience, 0.0
        self._limit = memory.share(slots) if memory_limit is None else memory_limit
        self._ends: list[TrialResult] = []
        self._stillborn, self._held, self._closed = 0, False, False
        self._polled = self._looked = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        self._seats: list[Process] = []
        self._pending: deque[TrialJob] = deque()
        home = folder.absolute().parents[2] if len(folder.absolute().parents) > 2 else folder.absolute()
        self._slots = Slots(name or folder.absolute().parent.name, str(home))
        self._slots.want = slots
        self._share()

    @property
    def slots(self) -> int:
        """Trials that may run at once now: what it has of the machine."""
        return min(self._slots.have, self._most)

    def need(self, slots: int) -> None:
        """Give back what is not used: so many slots can be used from now on."""
        self._needed = min(slots, self._most)
        if not self._held:
            self._slots.want = self._needed

    def waits(self) -> str:
        """Behind what other studies it waits, while it has no slot and could use one; empty where it does not wait."""
        return "" if self._held else self._slots.behind

    def now(self) -> float:
        """Wall-clock seconds since the epoch."""
        return time.time()

    def submit(self, job: TrialJob) -> None:
        """Hand a trial to a free worker, as soon as there is one that may work."""
        self._pending.append(job)
        self._share()

    def poll(self, timeout: float) -> Sequence[Message]:
        """Reports and results since the last call; a worker's death arrives as its trial's failure.

        Raises:
            StudyError: Workers die as they start.
        """
        self._share()
        messages = self._take_ends()
        with selectors.DefaultSelector() as selector:
            for number, seat in enumerate(self._seats):
                selector.register(seat.channel, selectors.EVENT_READ, number)
            for key, _ in selector.select(0 if messages else timeout):
                messages += self._hear(key.data)
        self._watch()
        return messages + self._take_ends()

    def decide(self, trial: int, decision: Decision) -> None:
        """Answer the worker that runs a trial; nobody waits if it has died."""
        for job in [job for job in self._pending if job.trial == trial and decision.stop]:
            self._pending.remove(job)
            self._ends.append(TrialResult(trial=trial, status=decision.status, reason=decision.reason, epochs=job.done))
        for seat in self._seats:
            if seat.trial == trial:
                seat.waits, seat.heard = False, time.monotonic()
                with contextlib.suppress(OSError):  # `poll` will find the body
                    seat.channel.send(decision)

    def cancel(self, trial: int, decision: Decision) -> None:
        """Ask a trial to end."""
        self.decide(trial, decision)

    def hold(self, *, held: bool) -> None:
        """Stop the worker processes and give their slots back, or let them go on as they get some again.

        None is stopped while it measures, for some seconds: all others would wait for it.
        """
        self._held = held
        if held:
            until = time.monotonic() + MEASURING
            while not self._stop(self._seats) and time.monotonic() < until:
                time.sleep(0.005)
            self._stop(self._seats, at_once=True)
            self._slots.release()
        self._slots.want = 0 if held else self._needed
        self._share()

    def _stop(self, seats: Sequence[Process], *, at_once: bool = False) -> bool:
        """Let workers stand still, unless one of them may be measuring; returns whether they do."""
        going = [seat for seat in seats if not seat.stopped]
        ours = {os.getpid(), *(seat.popen.pid for seat in self._seats)}
        with contextlib.ExitStack() as gates:
            for path in {gate_path(), *(seat.job.gate for seat in going if seat.job is not None)} if going else ():
                gate = Gate(path)
                gates.callback(gate.close)
                if not gate.try_close() and not at_once and gate.holder in {None, *ours}:
                    return False
            for seat in going:
                seat.stop()
        return True

    def _share(self) -> None:
        """Let as many work as there are slots for: stop those that are too many, let others go on, hand out trials."""
        share = self._slots.tick()
        if self._held:
            return
        allowed = min(share, self._slots.have)
        working = [seat for seat in self._seats if seat.works and not seat.stopped]
        stand = [self._stop([seat]) for seat in working[allowed:]]  # each of them is asked
        if self._slots.have > share and all(stand):
            self._slots.release(keep=share)
        while len(self._seats) < self._slots.have:
            self._seats.append(self._start(len(self._seats)))
        free = allowed - len(working[:allowed])
        for seat in sorted((seat for seat in self._seats if seat.stopped), key=lambda seat: not seat.works):
            if free > 0:
                seat.go_on()
                free -= seat.works
        while self._pending and free > 0:
            number = next((number for number, seat in enumerate(self._seats) if not seat.works and not seat.stopped), None)
            if number is None:
                break
            self._hand(number, self._pending.popleft())
            free -= 1

    def run(
        self,
        errand: WorkerRequest,
        meanwhile: Callable[[], None] = lambda: None,
        told: Callable[[str], None] = lambda _: None,
        *,
        limit: float | None = None,
    ) -> WorkerResponse:
        """Run an errand on the first worker; one that hangs is replaced, once.

        Args:
            errand: What to do.
            meanwhile: Called a few times a second.
            told: Called with what is being done, where the errand says so.
            limit: Seconds of work that it may take, on all workers that it needs; None for no limit.

        Raises:
            StudyError: It failed, took too long, or its worker died or hung.
        """
        self._pending.clear()
        before = self._needed
        self.need(1)
        try:
            return self._answer(errand, meanwhile, told, math.inf if limit is None else limit)
        finally:
            self.need(before)
            if self._seats and (self._seats[0].busy or self._seats[0].heavy):  # nobody waits for the answer, or it is spoilt
                self._renew(0)

    def _answer(
        self, errand: WorkerRequest, meanwhile: Callable[[], None], told: Callable[[str], None], limit: float
    ) -> WorkerResponse:
        clock, hung = Worked(limit), 0
        while True:
            seat = self._free_seat(meanwhile, told)
            with contextlib.suppress(OSError):  # a worker that is dead already is found below
                if seat.job is not None:  # it may wait for an answer that nobody else will give
                    seat.job = None
                    seat.channel.send(WRITTEN_OFF)
                seat.busy, seat.heard = True, time.monotonic()
                seat.channel.send(errand)
            why = ""
            while (values := seat.hear_soon(TICK)) is not None:
                meanwhile()
                self._share()
                if values:
                    self._stillborn = 0
                for value in values:
                    seat.heavy |= isinstance(value, Spent)
                    if isinstance(value, TrialResult) and value.trial == NOBODY:  # else that of a trial which was written off
                        seat.busy = False
                        raise StudyError(value.reason, where="worker", fix=f"Where it happened:\n{value.traceback}")
                    if isinstance(value, WorkerResponse):
                        seat.busy = False
                        return value
                    if isinstance(value, Beat) and value.text:
                        told(value.text)
                clock.tick(seat)
                if why := clock.late() or self._silent(seat):
                    seat.trace()
                    break
            self._bury(0, why)
            hung += bool(why)
            if clock.late() or hung == TRIES:
                raise StudyError(f"a request to a worker did not end: {why}", where="worker", fix=fix(seat))
            if seat.ready and not why:  # one that could not even be started is no news about the errand
                raise StudyError("the worker died", where="worker", fix=f"Its last words:\n{seat.tail()}")

    def _free_seat(self, meanwhile: Callable[[], None], told: Callable[[str], None]) -> Process:
        """The first worker, once there is a slot for it."""
        while not self._slots.have or not self._seats:
            meanwhile()
            told(self.waits())
            time.sleep(TICK)
            self._share()
        return self._seats[0]

    def close(self) -> None:
        """Kill all workers; trials still running are lost to the caller's own choice."""
        if not self._closed:
            for seat in self._seats:
                seat.kill()
            self._slots.close()
        self._closed = True

    def _hand(self, number: int, job: TrialJob) -> None:
        try:
            self._seats[number].take(job)
        except OSError:
            self._bury(number)

    def _take_ends(self) -> list[Message]:
        ends, self._ends = self._ends, []
        return [*ends]

    def _hear(self, number: int) -> list[Message]:
        seat = self._seats[number]
        values = seat.hear()
        if values is None:
            self._bury(number)
            return []
        self._stillborn = 0
        seat.heavy |= any(isinstance(value, Spent) for value in values)
        said = [
            _moved(value, seat.stood, printed=seat.printed()) if isinstance(value, TrialResult) else _moved(value, seat.stood)
            for value in values
            if isinstance(value, Report | TrialResult)
        ]
        for value in said:
            since = seat.note(value)
            if isinstance(value, Report) and value.epoch > 0:
                self._longest = max(self._longest, since)
            if isinstance(value, TrialResult) and (seat.heavy or value.fault == "worker"):
                self._renew(number)
        return [*said]

    # Who is not well

    def _watch(self) -> None:
        """Replace workers that hang, or that hold too much of a machine that is nearly out of memory."""
        now = time.monotonic()
        if now - self._polled > ABSENT:
            for seat in self._seats:
                seat.heard = max(seat.heard, now)
        self._polled = now
        for number, seat in enumerate(self._seats):
            if seat.job is not None and not seat.waits and (why := self._silent(seat)):
                seat.trace()
                self._bury(number, why)
        if now - self._looked > LOOK:
            self._looked = now
            self._watch_memory()

    def _silent(self, seat: Process) -> str:
        """Why a worker that works counts as hung; empty while it does not."""
        silent = time.monotonic() - seat.heard
        if seat.stopped or silent <= min(self._patience, STOPPED):
            return ""
        if silent > max(self._patience, EPOCHS_OF_PATIENCE * self._longest):
            return f"the worker process hung: no sign of life for {silent:.0f} s"
        return f"somebody stopped the worker process {silent:.0f} s ago" if is_stopped(seat.popen.pid) else ""

    def _watch_memory(self) -> None:
        heavy = []
        for number, seat in enumerate(self._seats):
            held = seat.weigh()
            if held > self._limit:
                seat.heavy = True  # it is replaced after its trial
                heavy.append((held, number))
        if heavy and memory.nearly_out():
            held, number = max(heavy)
            why = f"it held {gib(held)} of memory, its share is {gib(self._limit)}, and the machine was nearly out"
            self._bury(number, f"the worker process was killed: {why}")

    def _bury(self, number: int, why: str = "") -> None:
        """Replace a worker that is dead or must die; its trial has failed, unless it never began."""
        seat = self._seats[number]
        job, printed, code = seat.job, seat.printed(), seat.kill()
        if not seat.ready and not why:
            self._stillborn += 1
            self._see_whether_any_live(seat, code)
        self._seats[number] = self._start(number)
        if job is None:
            return
        if seat.ready or why:
            reason = why or f"the worker process died ({exit_of(code)}{swollen(seat, code)})"
            result = TrialResult(trial=job.trial, status="failed", reason=reason, traceback=seat.tail(), fault="worker")
            self._ends.append(result.replace(printed=printed))
        else:
            self._hand(number, job)

    def _renew(self, number: int) -> None:
        """Put a new worker in the place of one that has nothing to do: what it has not given back by now it never will."""
        self._seats[number].kill()
        self._seats[number] = self._start(number)

    def _see_whether_any_live(self, seat: Process, code: int) -> None:
        if self._stillborn < BIRTHS:
            return
        what = f"worker processes die as they start ({exit_of(code)}), {BIRTHS} in a row"
        fix = f"Mend what their log says, then resume the study; nothing is lost.\n{seat.tail()}"
        raise StudyError(what, where=str(seat.path), fix=fix)

    def _start(self, number: int) -> Process:
        seat = Process(self._folder / f"worker-{number}.log", self._walk, self._threads)
        if self._held:
            seat.stop()
        return seat


def _moved(said: Said, stood: float, **more: str) -> Said:
    """What a trial said, without the time in which it was made to stand still: a search goes by how long an epoch takes."""
    return said.replace(seconds=max(0.0, said.seconds - stood), **more)
