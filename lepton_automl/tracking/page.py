"""A trial's run in the MLflow UI, served on this machine only."""

from __future__ import annotations

import atexit
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

from lepton_automl.errors import StudyError

from .projector import TRIAL
from .secrets import SERVERS
from .store import opened_store, pages_at, ui_command

PORTS = range(5000, 5050)
START = 60.0  # seconds in which the UI must start, even on a busy machine
_served: dict[str, int] = {}  # port of the UI of each store, until this process ends


def run_page(home: Path, study: str, trial_uid: str, uri: str = "") -> str:
    """The URL of a trial's run: on its server, or in an MLflow UI that is served until this process ends.

    Args:
        home: The folder of all studies.
        study: The study's name.
        trial_uid: The trial's unique id.
        uri: An MLflow store other than the home's own.

    Raises:
        StudyError: MLflow has no such run yet, or its UI does not start.
    """
    with opened_store(home, uri) as store:
        run = store.find(store.experiments(), (TRIAL, trial_uid))
    if run is None:
        raise StudyError("the trial is not in MLflow yet", where=study, fix="Wait a few seconds while the study runs.")
    server = uri if urlsplit(uri).scheme in SERVERS else f"http://127.0.0.1:{_port(home, uri)}"
    return pages_at(server, f"experiments/{run.info.experiment_id}/runs/{run.info.run_id}")


def _port(home: Path, uri: str) -> int:
    """The port of the UI of a store, which is started on the first call."""
    key = uri or str(home)
    known = _served.get(key)
    if known is None or not _answers(known):
        known = next((port for port in PORTS if not _answers(port)), PORTS.start)
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(ui_command(home, known, uri), stdin=quiet, stdout=quiet, stderr=quiet)
        atexit.register(process.terminate)
        until = time.monotonic() + START
        while not _answers(known):
            if process.poll() is not None or time.monotonic() > until:
                process.terminate()
                raise StudyError("The MLflow UI does not start", where=str(home), fix="Try: lepton ui")
            time.sleep(0.1)
        _served[key] = known
    return known


def _answers(port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(0.5)
        return connection.connect_ex(("127.0.0.1", port)) == 0
