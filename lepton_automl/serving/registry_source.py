"""A registered model as a source: the version with an alias, followed by a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from lepton_automl.errors import StudyError, error_from_json

from .sources import Offer

MODULE = "lepton_automl.tracking.served_versions"
AGAIN = 30.0  # seconds until the process is started again if it ended
PATIENCE = 120.0  # seconds until the first answer; importing MLflow on a busy machine takes long


class RegistrySource:
    """The versions of a registered model; the one with the alias is the champion, and stays it until the alias moves.

    Args:
        model: The registered model.
        home: The folder of all studies.
        uri: An MLflow store other than the home's own; empty for none.
        alias: The alias of the version to serve.
        cache: Where versions of a remote store are copied to.
        name: The model's name in addresses; by default that of the registered model.
    """

    def __init__(self, model: str, *, home: Path, uri: str = "", alias: str = "champion", cache: Path, name: str = "") -> None:
        self.model, self.home, self.uri, self.alias, self.cache = model, home, uri, alias, cache
        self._name = name or model
        self._process: subprocess.Popen[str] | None = None
        self._latest: dict[str, Any] | None = None
        self._changed = threading.Condition()
        self._next_start = 0.0

    @property
    def name(self) -> str:
        """The model's name in addresses."""
        return self._name

    def poll(self) -> Offer:
        """What the registry says now; waits for its first answer.

        Raises:
            StudyError: MLflow cannot be reached, or there is no such model or alias.
        """
        with self._changed:
            if self._ended and time.monotonic() >= self._next_start:
                self._start()
            if not self._changed.wait_for(lambda: self._latest is not None or self._ended, PATIENCE):
                raise StudyError(f"the registry gave no answer within {PATIENCE:g} seconds", where=self.model)
            latest = self._latest
        if latest is None:
            raise StudyError("the process that follows the registry ended", where=self.model, fix="See the lines above.")
        if "error" in latest:
            error = error_from_json(latest["error"], StudyError)
            raise error or StudyError("the registry cannot be read", where=self.model)
        return Offer(latest["champion"], {version: Path(folder) for version, folder in latest["versions"].items()})

    def close(self) -> None:
        """End the process."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:  # it is in the middle of an import
            process.kill()
            process.wait()

    @property
    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _start(self) -> None:
        places = [self.model, self.alias, str(self.home), str(self.cache)]
        self._next_start = time.monotonic() + AGAIN
        command = [sys.executable, "-m", MODULE, *places, f"--uri={self.uri}"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", start_new_session=True
        )
        threading.Thread(target=self._read, args=(self._process,), name="lepton-registry", daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with self._changed:
                self._latest = json.loads(line)
                self._changed.notify_all()
        process.wait()
        with self._changed:
            self._changed.notify_all()
