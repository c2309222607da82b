"""One worker process, as the executor sees it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, TypeVar

from lepton_automl import memory
from lepton_automl._json import Value
from lepton_automl.jobs import Report, TrialJob, TrialResult
from lepton_automl.request import Request
from lepton_automl.workspace import Workspace

from .channel import Channel, Heartbeat
from .transfer import Delivery, packed, place_contents, received

# Thread pools of compute kernels: two processes with two threads each were measured ten times slower than with one each.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
TrialMessage = TypeVar("TrialMessage", Report, TrialResult)
LAST_WORDS = 0.5  # seconds for a hung worker to log where it hangs
TAIL = 4000  # bytes of a log that are shown


class Process:
    """A worker process and what it works on.

    Args:
        log: The file for its output.
        trial_function: The function that runs its trials, as `"module:function"`.
        threads: Number of its threads.
        workspace: The workspace of the search.
    """

    def __init__(self, log: Path, trial_function: str, threads: int, workspace: Workspace) -> None:
        self.path, self.log, self._workspace = log, _opened(log), workspace
        self.job: TrialJob | None = None
        self._since = 0  # length of the log in bytes when it took its job
        self.ready = False  # it has sent a message, so it can be started
        self.needs_replacement = False  # it used more memory than it should, or user code changed it
        self.peak_memory = 0  # maximum bytes of memory that it was seen using
        self.awaits_decision = False  # on its last report
        self.busy = False  # with a request
        self.request: Request | None = None  # the one that it handles while other workers run trials
        self.stopped = False  # by `stop`
        self.waits = False  # for another process to finish a measurement, by its last heartbeat
        self.paused_seconds = self._stopped_at = 0.0  # seconds stopped within its job; when it was last stopped
        self.last_message = self.reported = time.monotonic()
        self.popen, self.channel = _started(self.log, trial_function, threads, workspace.for_worker())

    @property
    def works(self) -> bool:
        """Whether it has a trial or a request."""
        return self.busy or self.job is not None

    @property
    def trial(self) -> int | None:
        """The number of the trial that it runs."""
        return None if self.job is None else self.job.trial

    def take(self, job: TrialJob) -> None:
        """Give it a trial.

        Raises:
            OSError: It is dead.
        """
        self.job, self.awaits_decision, self._since, self.paused_seconds = job, False, self._length(), 0.0
        self.last_message = self.reported = time.monotonic()
        self.send(job)

    def send(self, job: TrialJob | Request) -> None:
        """Send it a job, with references in place of paths.

        Raises:
            OSError: It is dead.
        """
        self.channel.send(packed(job, self._workspace))

    def receive(self) -> list[Value] | None:
        """Its messages; None if it is dead."""
        values = self.channel.receive()
        if values:
            self.ready, self.last_message = True, time.monotonic()
            self.waits = isinstance(values[-1], Heartbeat) and values[-1].waits
        return None if values is None else [value for value in map(self._received, values) if value is not None]

    def _received(self, value: Value) -> Value | None:
        """A value with paths of this machine; None for a delivery, whose contents are put in place."""
        if isinstance(value, Delivery):
            place_contents(value.contents, self._workspace)
            return None
        return received(value, self._workspace) if isinstance(value, TrialResult) else value

    def receive_within(self, timeout: float) -> list[Value] | None:
        """Its messages, if any arrive within `timeout` seconds, else an empty list; None if it is dead."""
        ready, _, _ = select.select([self.channel], [], [], timeout)
        return self.receive() if ready else []

    def note(self, value: Report | TrialResult) -> float:
        """Update the state with a message; returns the seconds since the last message about this trial."""
        since, self.reported = time.monotonic() - self.reported, time.monotonic()
        self.awaits_decision = isinstance(value, Report) and value.waits
        if isinstance(value, TrialResult):
            self.job = None
        return since

    def measure_memory(self) -> int:
        """Bytes of memory that it holds."""
        held = memory.resident(self.popen.pid)
        self.peak_memory = max(self.peak_memory, held)
        return held

    def stop(self) -> None:
        """Suspend it; returns once it is suspended."""
        if not self.stopped:
            self._stopped_at = time.monotonic()
        self.stopped = True
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            self.popen.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def go_on(self) -> None:
        """Let it continue."""
        if self.stopped:
            self.paused_seconds += time.monotonic() - self._stopped_at
        self.stopped = False
        self.popen.send_signal(signal.SIGCONT)
        self.last_message = self.reported = time.monotonic()

    def trace(self) -> None:
        """Have it write its stack to its log."""
        self.popen.send_signal(signal.SIGUSR1)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(LAST_WORDS)

    def kill(self) -> int:
        """Kill it; returns its exit code, below 0 for a signal."""
        self.channel.close()
        self.popen.kill()
        code = self.popen.wait()
        if self.log is not None:
            self.log.close()
        return code

    def tail(self) -> str:
        """The end of its log."""
        return self._read(0)

    def printed(self) -> str:
        """The end of what it printed since it took its trial."""
        return self._read(self._since) if self._length() > self._since else ""

    def _length(self) -> int:
        return 0 if self.log is None else os.fstat(self.log.fileno()).st_size

    def _read(self, start: int) -> str:
        try:
            with self.path.open("rb") as file:
                file.seek(max(start, self.path.stat().st_size - TAIL))
                return file.read(TAIL).decode(errors="replace")
        except OSError:
            return ""


def without_pauses(message: TrialMessage, paused_seconds: float, **more: str) -> TrialMessage:
    """A message about a trial, without the time in which its worker was stopped: a search relies on the time per epoch."""
    return message.replace(seconds=max(0.0, message.seconds - paused_seconds), **more)


def _opened(log: Path) -> IO[bytes] | None:
    try:
        return log.open("ab")
    except OSError:  # an unwritable disk stops the study with a message, not by a failing worker
        return None


def _started(
    log: IO[bytes] | None, trial_function: str, threads: int, workspace: tuple[str, ...]
) -> tuple[subprocess.Popen[bytes], Channel]:
    ours, theirs = socket.socketpair()
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads)), "PYTHONUNBUFFERED": "1"}
    # A suspended process does not notice that its search is gone, so the kernel signals it. But the kernel does so when the
    # thread that started it ends: if that may be before the search does, the signal only wakes the worker up, to check.
    death = signal.SIGKILL if threading.current_thread() is threading.main_thread() else signal.SIGCONT
    popen = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "lepton_automl.execution.worker",
            str(theirs.fileno()),
            trial_function,
            str(int(death)),
            *workspace,
        ],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=log or subprocess.DEVNULL,
        stderr=log or subprocess.DEVNULL,
        env=environment,
        start_new_session=True,  # Ctrl-C in a terminal goes to the search alone, which ends the workers in order
    )
    theirs.close()
    return popen, Channel(ours)
