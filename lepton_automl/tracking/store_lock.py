"""Access to a store: one writer per home at a time, and short timeouts for a store that does not answer."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import sqlite3
import time
import zlib
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from lepton_automl.errors import StudyError

from .secrets import masked
from .tracking_uri import SQLITE, tracking_uri

ANSWER = 3.0  # seconds in which a store must answer
QUEUE = 30.0  # seconds to wait for other writers of this home, which hold the lock for a few
LOOK = 0.01  # seconds between attempts to take the lock
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def use_short_timeouts(environment: MutableMapping[str, str]) -> None:
    """Make MLflow give up on a server within seconds, not minutes. Meant for processes of our own.

    It also disables MLflow's telemetry, which would otherwise report over the network without consent.

    A request that is not retried cannot create a run twice; the caller repeats the whole operation. See
    https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html.

    Args:
        environment: The environment of the process; existing values are kept.
    """
    environment.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    environment.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    environment.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


@contextlib.contextmanager
def single_writer(home: Path, uri: str) -> Iterator[None]:
    """Hold the lock of the only writer of this home to a store.

    Raises:
        StudyError: Another process holds it for too long.
    """
    own = uri == tracking_uri(home)
    until = time.monotonic() + QUEUE
    with open(home / ("mlflow.lock" if own else f"mlflow-{zlib.crc32(uri.encode()):08x}.lock"), "w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    fix = "Another process of this home is writing to it; try again."
                    raise StudyError("the store is in use", where=masked(uri), fix=fix) from None
                time.sleep(LOOK)
        yield


def check_reachable(uri: str) -> None:
    """Check that a store answers before MLflow uses it.

    Raises:
        Exception: It does not; an error of a socket, SQLite or MLflow.
    """
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"}:
        _ask_server(uri)
    elif uri.startswith(SQLITE):
        _ask_file(Path(uri.removeprefix(SQLITE)))
    elif parts.hostname:
        _ask_host(parts)


def _ask_server(uri: str) -> None:
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    creds = get_default_host_creds(uri)  # type: ignore[no-untyped-call]  # MLflow has no types for it
    response = http_request(creds, "/health", "GET", max_retries=0, timeout=ANSWER, raise_on_status=False)  # type: ignore[no-untyped-call]  # likewise
    if response.status_code in {502, 503, 504}:  # from a proxy; any other status is fine, as not every server has this endpoint
        raise ConnectionError(f"the server is not available: {response.status_code} {response.reason}")


def _ask_file(path: Path) -> None:
    if not path.exists():
        return
    with contextlib.closing(sqlite3.connect(path, timeout=ANSWER)) as file:
        file.execute("BEGIN IMMEDIATE")
        file.rollback()


def _ask_host(parts: SplitResult) -> None:
    port = parts.port or PORTS.get(parts.scheme.partition("+")[0])
    if port:
        socket.create_connection((parts.hostname, port), ANSWER).close()
