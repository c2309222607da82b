"""A worker process: lives across trials, because importing torch and Lightning costs seconds.

Started as `python -m lepton_automl.execution.worker FD`, so that the user's own main module is never imported again.
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
import traceback

from lepton_automl._json import Value
from lepton_automl.errors import LeptonError
from lepton_automl.values import GO_ON, CheckJob, Decision, Report, ScoreJob, TrialJob, TrialResult, WeighJob

from .channel import Channel


class Worker:
    """Takes jobs from a channel, one after another, until the other end closes.

    Args:
        channel: This end of the line to the search.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.jobs: queue.Queue[Value] = queue.Queue()
        self.decisions: queue.Queue[Decision] = queue.Queue()

    def serve(self) -> None:
        """Work until the search is gone."""
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            job = self.jobs.get()
            if isinstance(job, TrialJob):
                self.channel.send(self._try(job))
            else:
                self.channel.send(self._answer(job))

    def _listen(self) -> None:
        """Sort what arrives. When the search dies, so does the worker, in the middle of a batch if need be."""
        while (values := self.channel.receive()) is not None:
            for value in values:
                if isinstance(value, Decision):
                    self.decisions.put(value)
                else:
                    self.jobs.put(value)
        os._exit(0)

    def _report(self, report: Report) -> Decision:
        """Send a report; wait for the answer if it asks for one, else look whether a cancellation has arrived."""
        self.channel.send(report)
        try:
            return self.decisions.get(block=report.waits)
        except queue.Empty:
            return GO_ON

    def _try(self, job: TrialJob) -> TrialResult:
        from lepton_automl.walks.trial import run_trial

        while not self.decisions.empty():  # a cancellation that came too late for the trial before
            self.decisions.get_nowait()
        try:
            return run_trial(job, self._report)
        except LeptonError as error:
            return TrialResult(trial=job.trial, status="failed", reason=str(error), traceback=traceback.format_exc())
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            return TrialResult(trial=job.trial, status="failed", reason=reason, traceback=traceback.format_exc())

    def _answer(self, job: Value) -> Value:
        from lepton_automl.walks.errands import check_own, score, weigh_host

        try:
            if isinstance(job, CheckJob):
                return check_own(job)
            if isinstance(job, WeighJob):
                return weigh_host(job)
            assert isinstance(job, ScoreJob)
            return score(job)
        except Exception as error:
            traceback.print_exc()
            # An answer that is a failed result carries the reason back; the search raises it.
            return TrialResult(trial=-1, status="failed", reason=str(error), traceback=traceback.format_exc())


def main() -> None:
    """Serve on the socket whose file descriptor is the first argument."""
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    Worker(Channel(socket.socket(fileno=int(sys.argv[1])))).serve()


if __name__ == "__main__":
    main()
