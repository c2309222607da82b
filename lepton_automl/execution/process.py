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
from typing import IO

from lepton_automl import memory
from lepton_automl._json import Value
from lepton_automl.jobs import Report, TrialJob, TrialResult
from lepton_automl.request import Request
from lepton_automl.workspace import Workspace

from .channel import Channel
from .transfer import Delivery, packed, place_contents, received

# Kernels' own thread pools: two processes with two threads each were seen to run ten times slower than with one each.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
LAST_WORDS = 0.5  # seconds that a hung worker gets to write down where it hangs
TAIL = 4000  # bytes of a log that are shown


class Process:
    """A worker process and what it works on.

    Args:
        log: Where its output goes.
        trial_function: What it runs trials with, as `"module:function"`.
        threads: Its threads.
        workspace: That of the search.
    """

    def __init__(self, log: Path, trial_function: str, threads: int, workspace: Workspace) -> None:
        self.path, self.log, self._workspace = log, _opened(log), workspace
        self.job: TrialJob | None = None
        self._since = 0  # bytes of the log when it took its job
        self.ready = False  # it has said something: it can be started
        self.spoilt = False  # it was seen with more memory than it should have, or a person's code has spoilt it
        self.peak_memory = 0  # bytes of memory that it was seen with
        self.awaits_decision = False  # for a decision
        self.busy = False  # with a request
        self.stopped = False  # it stands still, and was told to
        self.paused_seconds = self._stopped_at = 0.0  # seconds that it has stood still in its job, and since when it does
        self.last_message = self.reported = time.monotonic()
        self.popen, self.channel = _started(self.log, trial_function, threads, workspace.for_worker())

    @property
    def works(self) -> bool:
        """Whether it has something to do."""
        return self.busy or self.job is not None

    @property
    def trial(self) -> int | None:
        """The number of the trial that it runs."""
        return None if self.job is None else self.job.trial

    def take(self, job: TrialJob) -> None:
        """Hand it a trial.

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
        """What it says; None when it is dead."""
        values = self.channel.receive()
        if values:
            self.ready, self.last_message = True, time.monotonic()
        return None if values is None else [value for value in map(self._received, values) if value is not None]

    def _received(self, value: Value) -> Value | None:
        """A value with paths of this machine; None for a delivery, which is brought to its place."""
        if isinstance(value, Delivery):
            place_contents(value.contents, self._workspace)
            return None
        return received(value, self._workspace) if isinstance(value, TrialResult) else value

    def receive_within(self, timeout: float) -> list[Value] | None:
        """The same; nothing if it says nothing within so many seconds."""
        ready, _, _ = select.select([self.channel], [], [], timeout)
        return self.receive() if ready else []

    def note(self, value: Report | TrialResult) -> float:
        """Keep up with what it said; returns the seconds since it last said something about this trial."""
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
        """Let it stand still; returns when it does."""
        if not self.stopped:
            self._stopped_at = time.monotonic()
        self.stopped = True
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            self.popen.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def go_on(self) -> None:
        """Let it go on."""
        if self.stopped:
            self.paused_seconds += time.monotonic() - self._stopped_at
        self.stopped = False
        self.popen.send_signal(signal.SIGCONT)
        self.last_message = self.reported = time.monotonic()

    def trace(self) -> None:
        """Have it write to its log where it is."""
        self.popen.send_signal(signal.SIGUSR1)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(LAST_WORDS)

    def kill(self) -> int:
        """End it at once; returns its exit code, below 0 for a signal."""
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


def _opened(log: Path) -> IO[bytes] | None:
    try:
        return log.open("ab")
    except OSError:  # a disk that cannot be written stops the study, in words, and not its next worker
        return None


def _started(
    log: IO[bytes] | None, trial_function: str, threads: int, workspace: tuple[str, ...]
) -> tuple[subprocess.Popen[bytes], Channel]:
    ours, theirs = socket.socketpair()
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads)), "PYTHONUNBUFFERED": "1"}
    # A process that stands still does not see that its search is gone, so the kernel tells it. But the kernel goes by the
    # thread that started it: where that may end before the search does, the worker is only woken up, to look for itself.
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
