"""Worker processes on this machine: the embedded default."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from lepton_automl.errors import StudyError
from lepton_automl.values import Decision, TrialJob, TrialResult

from .channel import Channel
from .executor import Answer, Errand, Message

# Kernels' own thread pools: two processes with two threads each were seen to run ten times slower than with one each.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass
class _Seat:
    """One worker process and what it works on."""

    process: subprocess.Popen[bytes]
    channel: Channel
    log: IO[bytes]
    trial: int | None = None


class LocalExecutor:
    """Keeps `slots` worker processes alive between trials.

    Args:
        slots: Worker processes.
        folder: Where their output goes, one log a worker.
        threads: Threads of each.
    """

    def __init__(self, slots: int, folder: Path, threads: int = 1) -> None:
        self.slots = slots
        self._folder, self._threads = folder, threads
        folder.mkdir(parents=True, exist_ok=True)
        self._seats = [self._start(number) for number in range(slots)]
        self._ends: list[TrialResult] = []

    def now(self) -> float:
        """Wall-clock seconds since the epoch."""
        return time.time()

    def submit(self, job: TrialJob) -> None:
        """Hand a trial to a free worker."""
        number = self._free()
        self._seats[number].trial = job.trial
        try:
            self._seats[number].channel.send(job)
        except OSError:
            self._bury(number)

    def poll(self, timeout: float) -> Sequence[Message]:
        """Reports and results since the last call; a worker's death arrives as its trial's failure."""
        messages: list[Message] = [*self._ends]
        self._ends = []
        with selectors.DefaultSelector() as selector:
            for number, seat in enumerate(self._seats):
                selector.register(seat.channel, selectors.EVENT_READ, number)
            for key, _ in selector.select(0 if messages else timeout):
                messages += self._hear(key.data)
        return messages

    def decide(self, trial: int, decision: Decision) -> None:
        """Answer the worker that runs a trial; nobody waits if it has died."""
        for seat in self._seats:
            if seat.trial == trial:
                try:
                    seat.channel.send(decision)
                except OSError:
                    return  # `poll` will find the body

    def cancel(self, trial: int, decision: Decision) -> None:
        """Ask a trial to end."""
        self.decide(trial, decision)

    def hold(self, *, held: bool) -> None:
        """Stop the worker processes, or let them go on."""
        for seat in self._seats:
            with contextlib.suppress(ProcessLookupError):  # `poll` will find the body
                seat.process.send_signal(signal.SIGSTOP if held else signal.SIGCONT)

    def run(self, errand: Errand) -> Answer:
        """Run an errand on the first worker."""
        seat = self._seats[0]
        with contextlib.suppress(OSError):  # a worker that is dead already is found below
            seat.channel.send(errand)
        while (values := seat.channel.receive()) is not None:
            for value in values:
                if isinstance(value, TrialResult):
                    raise StudyError(value.reason, where="worker", fix=f"Where it happened:\n{value.traceback}")
                return cast("Answer", value)
        self._bury(0)
        raise StudyError("the worker died", where="worker", fix=f"Its last words:\n{self._tail(0)}")

    def close(self) -> None:
        """Kill all workers; trials still running are lost to the caller's own choice."""
        for seat in self._seats:
            seat.channel.close()
            seat.process.kill()
        for seat in self._seats:
            seat.process.wait()
            seat.log.close()

    def _hear(self, number: int) -> list[Message]:
        seat = self._seats[number]
        values = seat.channel.receive()
        if values is None:
            self._bury(number)
            ends, self._ends = self._ends, []
            return list(ends)
        for value in values:
            if isinstance(value, TrialResult):
                seat.trial = None
        return cast("list[Message]", values)

    def _free(self) -> int:
        for number, seat in enumerate(self._seats):
            if seat.trial is None:
                return number
        raise RuntimeError("no worker is free")  # the loop counts slots; this is a bug in the loop

    def _bury(self, number: int) -> None:
        """Replace a dead worker; its trial has failed."""
        seat = self._seats[number]
        seat.channel.close()
        seat.process.kill()
        code = seat.process.wait()
        seat.log.close()
        if seat.trial is not None:
            name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            hint = "; the machine may have run out of memory" if code == -signal.SIGKILL else ""
            reason = f"the worker process died ({name}{hint})"
            self._ends.append(TrialResult(trial=seat.trial, status="failed", reason=reason, traceback=self._tail(number)))
        self._seats[number] = self._start(number)

    def _tail(self, number: int) -> str:
        return self._log(number).read_text(errors="replace")[-4000:]

    def _log(self, number: int) -> Path:
        return self._folder / f"worker-{number}.log"

    def _start(self, number: int) -> _Seat:
        ours, theirs = socket.socketpair()
        log = self._log(number).open("ab")
        environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(self._threads)), "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "lepton_automl.execution.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal goes to the search alone, which ends the workers in order
        )
        theirs.close()
        return _Seat(process, Channel(ours), log)
