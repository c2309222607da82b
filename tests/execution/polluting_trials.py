"""Trials whose code leaves something behind in its process: `tests.execution.polluting_trials:pollute`. Light to import."""

from __future__ import annotations

import locale
import os
import signal
import sys
import tempfile
import threading
import time

from lepton_automl.jobs import TrialResult

LEFT = []


def pollute(job, report, heartbeat):
    """Harms its process as its configuration demands, and reports the process id."""
    what = job.config.get("what", "")
    if what == "recursion":
        sys.setrecursionlimit(120)
    elif what == "signal":
        signal.signal(signal.SIGTERM, lambda *_: None)
    elif what == "folder":
        os.chdir(tempfile.gettempdir())
    elif what == "environment":
        os.environ["OMP_NUM_THREADS"] = "7"
    elif what == "thread":
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    elif what == "file":
        LEFT.append(open(job.folder + "-left", "w"))  # noqa: SIM115  # that is what is wrong with it
    elif what == "mask":
        os.umask(0)
    elif what == "failure":
        raise ValueError("it is wrong")
    locale.getlocale()
    return TrialResult(trial=job.trial, status="complete", reason=str(os.getpid()))
