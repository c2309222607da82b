"""A real MLflow server and a PostgreSQL server that can be started and killed; also used by the tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

START = 240.0  # maximum seconds for a server to start on a busy machine


def free_port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MlflowServer:
    """`mlflow server` on this machine, with its own artifact folder.

    Args:
            folder: The folder for its files.
            port: Its port; by default a free one.
            backend: Its database; by default a SQLite file.
            options: Further command-line options.
            environment: Further environment variables.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        backend: str = "",
        options: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.port = folder, port or free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.database = folder / "server.db"
        store_options = [
            "--backend-store-uri",
            backend or f"sqlite:///{self.database}",
            "--artifacts-destination",
            str(folder / "files"),
        ]
        listen = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        self._command = [sys.executable, "-m", "mlflow", "server", *store_options, *listen, *options]
        # Do not start the eight processes for language-model jobs.
        self._environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it responds."""
        with open(self.folder / "server.log", "ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + START
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"the server does not start:\n{(self.folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """Kill it with all its workers."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def lacks_postgres() -> str:
    """Why PostgreSQL cannot be started here; empty if it can."""
    for program in ("initdb", "postgres"):
        if not shutil.which(program):
            return f"there is no {program}: install Debian's postgresql"
    if find_spec("psycopg2") is None:
        return "there is no psycopg2: pip install psycopg2-binary"
    if os.geteuid() == 0 and subprocess.run(["id", "postgres"], capture_output=True, check=False).returncode:
        return "PostgreSQL refuses to run as root, and there is no user postgres"
    return ""


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Run a temporary PostgreSQL with an empty database; yields its address."""
    port = free_port()
    run: dict[str, Any] = {"cwd": "/", "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory() as data:
        if os.geteuid() == 0:
            run["user"] = "postgres"
            shutil.chown(data, "postgres")
        subprocess.run([_program("initdb"), "-D", data, "-U", "lepton", "--auth=trust", "-N"], check=True, **run)
        words = ["-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", "", "-F"]
        process = subprocess.Popen([_program("postgres"), *words], **run)
        try:
            _wait_for(port)
            yield f"postgresql+psycopg2://lepton@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _program(name: str) -> str:
    path = shutil.which(name)
    assert path is not None
    return str(Path(path).resolve())


def _wait_for(port: int) -> None:
    until = time.monotonic() + START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
