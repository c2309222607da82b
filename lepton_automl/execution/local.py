"""Worker processes on this machine: the embedded default."""

from __future__ import annotations

import contextlib
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lepton_automl.errors import StudyError
from lepton_automl.gate import Gate
from lepton_automl.values import NOBODY, Decision, Report, TrialJob, TrialResult

from . import memory
from .channel import Beat
from .executor import Answer, Errand, Message
from .process import Process

WALK = "lepton_automl.walks.trial:run_trial"
PATIENCE = 120.0  # seconds without a sign of life, in which even a large network is packed
EPOCHS_OF_PATIENCE = 20  # or so many times the longest epoch seen, if that is longer
LOOK = 1.0  # seconds between looks at memory
TICK = 0.2  # seconds between looks at other things, while an errand is run
BIRTHS = 3  # workers in a row that die before they say anything
ABSENT = 5.0  # seconds without a poll, after which silence says nothing: the search itself stood still
WRITTEN_OFF = Decision(stop=True, reason="it was written off")
MEASURING = 10.0  # seconds that a measurer gets to leave the gate before all stand still


class LocalExecutor:
    """Keeps `slots` worker processes alive between trials, and replaces those that die, hang or swell.

    Args:
        slots: Worker processes.
        folder: Where their output goes, one log a worker.
        threads: Threads of each.
        walk: What runs a trial, as `"module:function"`: called with the job, a function that reports, and one that gives a
            sign of life.
        patience: Seconds of silence after which a worker counts as hung, unless its epochs are long.
        memory_limit: Bytes that one worker may hold; None for its share of what is free now.
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
    ) -> None:
        self.slots = slots
        self._folder, self._threads, self._walk = folder, threads, walk
        self._patience, self._longest = patience, 0.0
        self._limit = memory.share(slots) if memory_limit is None else memory_limit
        self._ends: list[TrialResult] = []
        self._stillborn, self._held, self._closed = 0, False, False
        self._polled = self._looked = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        self._seats = [self._start(number) for number in range(slots)]

    def now(self) -> float:
        """Wall-clock seconds since the epoch."""
        return time.time()

    def submit(self, job: TrialJob) -> None:
        """Hand a trial to a free worker."""
        number = next(number for number, seat in enumerate(self._seats) if seat.job is None)
        self._hand(number, job)

    def poll(self, timeout: float) -> Sequence[Message]:
        """Reports and results since the last call; a worker's death arrives as its trial's failure.

        Raises:
            StudyError: Workers die as they start.
        """
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
        for seat in self._seats:
            if seat.trial == trial:
                seat.waits, seat.heard = False, time.monotonic()
                with contextlib.suppress(OSError):  # `poll` will find the body
                    seat.channel.send(decision)

    def cancel(self, trial: int, decision: Decision) -> None:
        """Ask a trial to end."""
        self.decide(trial, decision)

    def hold(self, *, held: bool) -> None:
        """Stop the worker processes, or let them go on. None is stopped while it measures: all others would wait for it."""
        self._held = held
        with contextlib.ExitStack() as gates:
            for path in {seat.job.gate for seat in self._seats if seat.job is not None and held}:
                gate = Gate(path)
                gates.callback(gate.close)
                gates.enter_context(gate.closed(patience=MEASURING))
            for seat in self._seats:
                seat.stop() if held else seat.go_on()

    def run(
        self,
        errand: Errand,
        meanwhile: Callable[[], None] = lambda: None,
        told: Callable[[str], None] = lambda _: None,
    ) -> Answer:
        """Run an errand on the first worker.

        Args:
            errand: What to do.
            meanwhile: Called a few times a second.
            told: Called with what is being done, where the errand says so.

        Raises:
            StudyError: It failed, or its worker died.
        """
        while True:
            seat = self._seats[0]
            with contextlib.suppress(OSError):  # a worker that is dead already is found below
                if seat.job is not None:  # it may wait for an answer that nobody else will give
                    seat.job = None
                    seat.channel.send(WRITTEN_OFF)
                seat.channel.send(errand)
            while (values := seat.hear_soon(TICK)) is not None:
                meanwhile()
                if values:
                    self._stillborn = 0
                for value in values:
                    if isinstance(value, TrialResult) and value.trial == NOBODY:  # else that of a trial which was written off
                        raise StudyError(value.reason, where="worker", fix=f"Where it happened:\n{value.traceback}")
                    if isinstance(value, Answer):
                        return value
                    if isinstance(value, Beat) and value.text:
                        told(value.text)
            self._bury(0)
            if seat.ready:  # one that could not even be started is no news about the errand
                raise StudyError("the worker died", where="worker", fix=f"Its last words:\n{seat.tail()}")

    def close(self) -> None:
        """Kill all workers; trials still running are lost to the caller's own choice."""
        if not self._closed:
            for seat in self._seats:
                seat.kill()
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
        said = [value for value in values if isinstance(value, Report | TrialResult)]
        for value in said:
            since = seat.note(value)
            if isinstance(value, Report) and value.epoch > 0:
                self._longest = max(self._longest, since)
            if isinstance(value, TrialResult) and (seat.heavy or value.fault == "worker"):
                seat.kill()  # what it has not given back by now it never will
                self._seats[number] = self._start(number)
        return [*said]

    # Who is not well

    def _watch(self) -> None:
        """Replace workers that hang, or that hold too much of a machine that is nearly out of memory."""
        now = time.monotonic()
        if now - self._polled > ABSENT:
            for seat in self._seats:
                seat.heard = max(seat.heard, now)
        self._polled = now
        limit = max(self._patience, EPOCHS_OF_PATIENCE * self._longest)
        for number, seat in enumerate(self._seats):
            silent = now - seat.heard
            if seat.job is not None and not seat.waits and not self._held and silent > limit:
                seat.trace()
                self._bury(number, f"the worker process hung: no sign of life for {silent:.0f} s")
        if now - self._looked > LOOK:
            self._looked = now
            self._watch_memory()

    def _watch_memory(self) -> None:
        heavy = []
        for number, seat in enumerate(self._seats):
            held = seat.weigh()
            if held > self._limit:
                seat.heavy = True  # it is replaced after its trial
                heavy.append((held, number))
        if heavy and memory.nearly_out():
            held, number = max(heavy)
            why = f"it held {_gib(held)} of memory, its share is {_gib(self._limit)}, and the machine was nearly out"
            self._bury(number, f"the worker process was killed: {why}")

    def _bury(self, number: int, why: str = "") -> None:
        """Replace a worker that is dead or must die; its trial has failed, unless it never began."""
        seat = self._seats[number]
        job, code = seat.job, seat.kill()
        if not seat.ready and not why:
            self._stillborn += 1
            self._see_whether_any_live(seat, code)
        self._seats[number] = self._start(number)
        if job is None:
            return
        if seat.ready or why:
            reason = why or f"the worker process died ({_exit(code)}{_swollen(seat, code)})"
            self._ends.append(
                TrialResult(trial=job.trial, status="failed", reason=reason, traceback=seat.tail(), fault="worker")
            )
        else:
            self._hand(number, job)

    def _see_whether_any_live(self, seat: Process, code: int) -> None:
        if self._stillborn < BIRTHS:
            return
        what = f"worker processes die as they start ({_exit(code)}), {BIRTHS} in a row"
        fix = f"Mend what their log says, then resume the study; nothing is lost.\n{seat.tail()}"
        raise StudyError(what, where=str(seat.path), fix=fix)

    def _start(self, number: int) -> Process:
        seat = Process(self._folder / f"worker-{number}.log", self._walk, self._threads)
        if self._held:
            seat.stop()
        return seat


def _exit(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _swollen(seat: Process, code: int) -> str:
    """What makes it likely that the system ended a worker for its memory."""
    if code != -signal.SIGKILL:
        return ""
    return f"; the machine may have run out of memory: {_gib(seat.most)} were last seen in use" if seat.most else ""


def _gib(size: float) -> str:
    return f"{size / 2**30:.2f} GiB"
