"""A server that runs beside the caller, such as a notebook: started, asked, and ended from Python."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lepton_automl.errors import StudyError

_URL = re.compile(r"Serving at (\S+)")
PATIENCE = 30.0  # seconds to end, and to wait for an answer
_LAST = 50  # lines of the server's output that are kept


class Service:
    """`lepton serve` in a process of its own, on this machine.

    Example:
        >>> with Service("photos") as service:  # doctest: +SKIP
        ...     service.predict([{"age": 39}])

    Args:
        *names: Studies, registered models, or folders of bundles, as `lepton serve` takes them.
        port: The port to listen on; 0 for a free one.
        options: Further options of `lepton serve`, such as `["--trial", "12"]`.
        home: The folder of all studies; by default `$LEPTON_HOME`, else `mlruns`.

    Attributes:
        url: Its address.

    Raises:
        StudyError: It does not start; the error has its last lines.
    """

    def __init__(self, *names: str, port: int = 0, options: Sequence[str] = (), home: str | Path | None = None) -> None:
        command = [sys.executable, "-m", "lepton_automl", "serve", *names, "--port", str(port), *options]
        environment = {**os.environ, **({} if home is None else {"LEPTON_HOME": str(Path(home).absolute())})}
        self._lines: deque[str] = deque(maxlen=_LAST)
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self.url = self._wait()
        threading.Thread(target=self._read, name="lepton-service", daemon=True).start()

    def __repr__(self) -> str:
        return f"<Service at {self.url}>" if self._process.poll() is None else "<Service that has ended>"

    def predict(self, rows: Sequence[Mapping[str, Any]], *, model: str = "") -> list[dict[str, Any]]:
        """Predictions for rows, over HTTP.

        Args:
            rows: Cells by column.
            model: The model; by default the first one.

        Raises:
            StudyError: The server refuses the rows, or does not answer.
        """
        path = f"/models/{model}/invocations" if model else "/invocations"
        body = json.dumps({"dataframe_records": list(rows)}).encode()
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})  # noqa: S310  # our own
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
                found: list[dict[str, Any]] = json.loads(answer.read())["predictions"]
        except urllib.error.HTTPError as error:
            told = json.loads(error.read())
            raise StudyError(told["error"], where=self.url) from None
        except OSError as error:
            raise StudyError(f"the server does not answer: {error}", where=self.url, fix=self.output) from error
        return found

    @property
    def output(self) -> str:
        """The last lines that the server printed."""
        return "".join(self._lines).rstrip()

    def stop(self) -> int:
        """End the server after it has answered what was asked; return its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    def _wait(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)
            found = _URL.search(line)
            if found:
                return found[1]
        self._process.wait()
        self._process.stdout.close()
        raise StudyError("the server did not start", where="serve", fix=self.output)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            self._lines.extend(self._process.stdout)
