"""A worker process: it stays alive across trials, because importing torch and Lightning costs seconds.

Started as `python -m lepton_automl.execution.worker FD MODULE:FUNCTION SIGNAL WORKSPACE...`, so that the user's own main
module is never imported again.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import importlib
import os
import platform
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lepton_automl._json import Value
from lepton_automl.errors import LeptonError, in_one_line, without_colours
from lepton_automl.jobs import (
    CONTINUE,
    NO_TRIAL,
    Decision,
    Fault,
    Report,
    TrialJob,
    TrialResult,
)
from lepton_automl.locks import is_stopped
from lepton_automl.measurement_lock import is_waiting, pausing_for_measurements
from lepton_automl.request import Request
from lepton_automl.workspace import LocalWorkspace, Workspace

from .channel import Channel, Heartbeat, ReplacementRequest
from .failure_cause import fault_of
from .traces import changed, snapshot
from .transfer import Deliverer, Delivery, returned, unpacked

TrialFunction = Callable[[TrialJob, Callable[[Report], Decision], Callable[[], Decision]], TrialResult]

EVERY = 1.0  # seconds between heartbeats
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, see prctl(2)


class Worker:
    """Takes jobs from a channel, one after another, until the other end closes.

    Args:
        channel: This end of the connection to the search.
        trial_function: The function that runs a trial.
        workspace: The workspace of this process; by default the current folder.
    """

    def __init__(self, channel: Channel, trial_function: TrialFunction, workspace: Workspace | None = None) -> None:
        self.channel, self.trial_function = channel, trial_function
        self.workspace: Workspace = workspace or LocalWorkspace(Path.cwd())
        self.jobs: queue.Queue[tuple[Value, queue.Queue[Decision]]] = queue.Queue()
        self.decisions: queue.Queue[Decision] = queue.Queue()  # on the current job
        self._end: Decision | None = None  # the decision that ends the current job
        self._last_heartbeat = 0.0
        self._sending = threading.Lock()

    def serve(self) -> None:
        """Work until the search is gone."""
        threading.Thread(target=self._listen, daemon=True).start()
        self.heartbeat()
        while True:
            job, self.decisions = self.jobs.get()
            self._end = None
            if isinstance(job, TrialJob):
                self._send(self._clean(job, self._try))
            else:
                with self._heartbeats():
                    answer = self._clean(job, self._answer)
                self._send(answer)

    def _clean(self, job: Any, work: Callable[[Any], Value]) -> Value:
        """Do a job; if it ran user code, request a replacement of this process if it is not fit for another job."""
        if getattr(_origin(job), "factory", None) is None:
            return work(job)
        before = snapshot()
        value = work(job)
        failed = isinstance(value, TrialResult) and value.status == "failed"
        why = changed(before, snapshot()) or ("custom code failed" if failed else "")
        if why:
            print(f"this worker is replaced, as it was changed: {why}", file=sys.__stderr__, flush=True)
            self._send(ReplacementRequest(reason=why))
        return value

    def heartbeat(self) -> None:
        """Send a heartbeat from the working thread: another thread would not notice that this one hangs."""
        now = time.monotonic()
        if now - self._last_heartbeat > EVERY:
            self._last_heartbeat = now
            self._send(Heartbeat())
            while is_stopped(os.getppid()):  # its search is suspended, and others use its core by now
                time.sleep(EVERY / 2)

    def _send(self, value: Value) -> None:
        """Send a value; exit if the search is gone, even in the middle of a trial."""
        try:
            with self._sending:
                self.channel.send(value)
        except OSError:
            os._exit(0)

    @contextlib.contextmanager
    def _heartbeats(self) -> Iterator[None]:
        """Send heartbeats from a second thread as long as the working thread makes progress: it uses CPU time."""
        clock, over = time.pthread_getcpuclockid(threading.get_ident()), threading.Event()

        def heartbeat() -> None:
            before = 0.0
            while not over.wait(EVERY):
                if (used := time.clock_gettime(clock)) > before:
                    before = used
                    self._send(Heartbeat(waits=is_waiting()))

        thread = threading.Thread(target=heartbeat, name="beat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _listen(self) -> None:
        """Dispatch incoming messages. When the search dies, so does the worker, even in the middle of a batch.

        A decision is on the last trial that was sent before it. It may come too late, when that trial is over; or before
        the trial has begun, if both arrive while the worker is still starting.
        """
        decisions = self.decisions
        while (values := self.channel.receive()) is not None:
            for value in values:
                if isinstance(value, Decision):
                    decisions.put(value)
                    continue
                if isinstance(value, TrialJob):
                    decisions = queue.Queue()
                self.jobs.put((value, decisions))
        os._exit(0)

    def _report(self, report: Report) -> Decision:
        """Send a report; wait for the decision if it asks for one, else check whether one has arrived."""
        self._send(report)
        return self._decision(wait=report.waits)

    def _step(self) -> Decision:
        """Send a heartbeat; the decision that has arrived meanwhile, for example because the time is up."""
        self.heartbeat()
        return self._decision(wait=False)

    def _decision(self, *, wait: bool) -> Decision:
        """The next decision on the current job; one that ends it is final."""
        if self._end is None:
            try:
                decision = self.decisions.get(block=wait)
            except queue.Empty:
                return CONTINUE
            if not decision.stop:
                return decision
            self._end = decision
        return self._end

    def _try(self, job: TrialJob) -> TrialResult:
        folder = (self.workspace.folder / job.folder).absolute()
        default: Fault = "worker"  # until unpacked: its workspace lacks what the trial needs
        try:
            job = unpacked(job, self.workspace)
            default, deliverer = "candidate", Deliverer(job, self.workspace)

            def report(report: Report) -> Decision:
                self._deliver(deliverer.checkpoint())
                return self._report(report)

            result = self.trial_function(job, report, self._step)
            self._deliver(deliverer.all())
            return returned(result, self.workspace)
        except Exception as error:
            reason = str(error) if isinstance(error, LeptonError) else in_one_line(error)
            fault = fault_of(error, folder.parents[1])
            fault = default if fault == "candidate" else fault
            trace = without_colours(traceback.format_exc())
            return TrialResult(trial=job.trial, status="failed", reason=reason, traceback=trace, fault=fault)

    def _deliver(self, delivery: Delivery | None) -> None:
        if delivery is not None:
            self._send(delivery)

    def _answer(self, job: Request) -> Value:
        from lepton_automl.pipelines.requests import respond

        def report(text: str) -> None:
            self._send(Heartbeat(text=text))

        try:
            job = unpacked(job, self.workspace)
            origin = _origin(job)
            deliverer = Deliverer(origin, self.workspace) if isinstance(origin, TrialJob) else None
            lock = getattr(origin, "measurement_lock", None)
            # Every request pauses while other processes measure.
            with pausing_for_measurements(str(self.workspace.lock(platform.node())) if lock is None else lock):
                response = respond(job, report)
            if deliverer is not None:
                self._deliver(deliverer.all())
            return response
        except Exception as error:
            traceback.print_exc()
            # A failed result carries the reason back; the search raises it.
            reason = str(error) if isinstance(error, LeptonError) else in_one_line(error)
            frames = "".join(traceback.format_tb(error.__traceback__))  # the worker's log has the whole traceback
            return TrialResult(trial=NO_TRIAL, status="failed", reason=reason, traceback=frames + in_one_line(error))


def _origin(job: Any) -> Any:
    """The trial that a request is about, or the request itself."""
    trial = getattr(job, "job", getattr(job, "trial", None))
    return trial if isinstance(trial, TrialJob) else job


def main(descriptor: str, trial_function: str, death: str, workspace: str, *arguments: str) -> None:
    """Serve on a socket.

    Args:
        descriptor: The socket's file descriptor.
        trial_function: The function that runs a trial, as `"module:function"`.
        death: The signal to receive when the search dies.
        workspace: The function that opens this process's workspace, as `"module:function"`.
        arguments: The arguments of that function.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, int(death))
    faulthandler.register(signal.SIGUSR1)  # prints where it hangs
    run_trial: TrialFunction = _function(trial_function)
    opened: Workspace = _function(workspace)(*arguments)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    Worker(Channel(socket.socket(fileno=int(descriptor))), run_trial, opened).serve()


def _function(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


if __name__ == "__main__":
    main(*sys.argv[1:])
