"""The search's side of `publish`: starts that process, and makes sure that a study's end is published in MLflow."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from .publish import FINISH, LEAVE, publish_end, reserve

STARTS = 3  # of the process at most, if it dies
PAUSE = 5.0  # seconds before it is started again
SILENCE = 60.0  # seconds without a line from it, after which it counts as hung
LAST = 20.0  # seconds that the last update may take, if the study has no end to publish


class Publisher:
    """Runs `publish` beside a search. The search never waits for it, except at the study's end.

    Args:
        folder: The study's folder.
        module: The module that the process runs.
    """

    def __init__(self, folder: Path, module: str = "lepton_automl.study.publish") -> None:
        self._folder, self._module = folder, module
        self._reserve = reserve()
        self.cpu = self.first_cpu = 0.0  # CPU seconds of the process; those before its first update
        self._process: subprocess.Popen[bytes] | None = None
        self._over, self._lock = threading.Event(), threading.Lock()
        self._received = time.monotonic()
        self._thread = threading.Thread(target=self._follow, name="publisher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self._over.is_set():
            self._end(LEAVE, limit=LAST)

    def reserve(self) -> float:
        """Seconds that the end of the study will take, estimated from the last refresh of the front in MLflow."""
        return self._reserve

    def finish(self) -> None:
        """Publish the study's end; if the process fails to, publish it here."""
        if self._end(FINISH) != 0:
            publish_end(self._folder)

    def leave(self) -> None:
        """Publish the latest events of the journal, without the study's end."""
        self._end(LEAVE)

    def _end(self, request: bytes, limit: float = float("inf")) -> int | None:
        """Send the last request and wait for the process; returns its exit status."""
        with self._lock:
            self._over.set()
            process = self._process
        if process is None:
            return None
        with contextlib.suppress(OSError, ValueError):  # it may be gone, and its pipe closed
            assert process.stdin is not None
            process.stdin.write(request)
        until, self._received = time.monotonic() + limit, time.monotonic()
        while self._thread.is_alive():
            self._thread.join(0.1)
            if time.monotonic() > min(until, self._received + SILENCE):
                process.kill()  # the next process that publishes the study writes what is missing
        return process.poll()

    def _follow(self) -> None:
        """Read the process's lines; start it again if it dies."""
        for start in range(STARTS):
            if self._over.wait(PAUSE if start else 0):
                return
            with self._lock:
                if self._over.is_set():
                    return
                self._process = subprocess.Popen(
                    [sys.executable, "-m", self._module, str(self._folder)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    bufsize=0,
                )
            with self._process as process:
                assert process.stdout is not None
                for line in process.stdout:
                    self._receive(line)

    def _receive(self, line: bytes) -> None:
        with contextlib.suppress(ValueError, KeyError):
            facts = json.loads(line)
            self._reserve, self.cpu, self.first_cpu = facts["reserve"], facts["cpu"], facts["first_cpu"]
            self._received = time.monotonic()
