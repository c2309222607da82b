"""Registered models as sources: the versions with an alias, followed by a process of its own."""

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
PATIENCE = 120.0  # seconds until the first answer; importing MLflow on a busy machine takes long
AGAIN = 30.0  # seconds until the process is started again if it ended


class RegistryFollower:
    """A process that follows registered models; it starts when the first of its sources is asked.

    Args:
        home: The folder of all studies.
        uri: An MLflow store other than the home's own; empty for none.
        cache: Where versions of a remote store are copied to.
    """

    def __init__(self, home: Path, *, uri: str = "", cache: Path) -> None:
        self.home, self.uri, self.cache = home, uri, cache
        self._wanted: list[tuple[str, str]] = []  # registered models and their aliases
        self._process: subprocess.Popen[str] | None = None
        self._next_start = 0.0
        self._latest: dict[tuple[str, str], dict[str, Any]] = {}
        self._changed = threading.Condition()

    def source(self, model: str, alias: str = "champion", *, name: str = "") -> RegistrySource:
        """A registered model as a source; make all sources before one is asked.

        Args:
            model: The registered model.
            alias: The alias of the version to serve.
            name: The model's name in addresses; by default that of the registered model.
        """
        if (model, alias) not in self._wanted:
            self._wanted.append((model, alias))
        return RegistrySource(self, model, alias, name or model)

    def latest(self, model: str, alias: str) -> dict[str, Any]:
        """What the registry says now about a model; waits for its first answer.

        Raises:
            StudyError: There is no answer.
        """
        key = (model, alias)
        with self._changed:
            if self._ended and time.monotonic() >= self._next_start:
                self._start()
            if not self._changed.wait_for(lambda: key in self._latest or self._ended, PATIENCE):
                raise StudyError(f"the registry gave no answer within {PATIENCE:g} seconds", where=model)
            if key not in self._latest:
                raise StudyError("the process that follows the registry ended", where=model, fix="See the lines above.")
            return self._latest[key]

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
        self._next_start = time.monotonic() + AGAIN
        places = [str(self.home), str(self.cache), f"--uri={self.uri}"]
        models = [f"--model={model}@{alias}" for model, alias in self._wanted]
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE, *places, *models],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # it ends when this process does, not by a signal to the terminal
        )
        threading.Thread(target=self._read, args=(self._process,), name="lepton-registry", daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                found = json.loads(line)
                with self._changed:
                    self._latest[found["model"], found["alias"]] = found
                    self._changed.notify_all()
        process.wait()
        with self._changed:
            self._changed.notify_all()


class RegistrySource:
    """The versions of a registered model; the one with the alias is the champion, and stays it until the alias moves.

    Args:
        follower: The process that follows it.
        model: The registered model.
        alias: The alias of the version to serve.
        name: The model's name in addresses.
    """

    def __init__(self, follower: RegistryFollower, model: str, alias: str, name: str) -> None:
        self.follower, self.model, self.alias, self._name = follower, model, alias, name

    def __repr__(self) -> str:
        return f"the registered model {self.model}@{self.alias}"

    @property
    def name(self) -> str:
        """The model's name in addresses."""
        return self._name

    def poll(self) -> Offer:
        """What the registry says now.

        Raises:
            StudyError: MLflow cannot be reached, or there is no such model or alias.
        """
        latest = self.follower.latest(self.model, self.alias)
        if "error" in latest:
            error = error_from_json(latest["error"], StudyError)
            raise error or StudyError("the registry cannot be read", where=self.model)
        return Offer(latest["champion"], {version: Path(folder) for version, folder in latest["versions"].items()})

    def close(self) -> None:
        """End the process, for all its sources."""
        self.follower.close()
