"""Values over a socket between a search and its worker: one JSON object per line, no pickle."""

from __future__ import annotations

import importlib
import json
import socket
from dataclasses import dataclass
from typing import Any

from lepton_automl._json import Value
from lepton_automl.jobs import Decision, Report, TrialJob, TrialResult
from lepton_automl.request import MESSAGES

from .transfer import Delivery


@dataclass(frozen=True, kw_only=True)
class Heartbeat(Value):
    """A sign of life of a worker.

    Args:
        text: What it is doing, to show to the user; may be empty.
        waits: Whether it waits for another process to finish a measurement.
    """

    text: str = ""
    waits: bool = False


@dataclass(frozen=True, kw_only=True)
class ReplacementRequest(Value):
    """A worker asks to be replaced, once it has sent its result: user code has changed the process.

    Args:
        reason: What was changed.
    """

    reason: str


TRIAL_MESSAGES: dict[str, type[Value]] = {
    kind.__name__: kind for kind in (TrialJob, Report, Decision, TrialResult, Heartbeat, ReplacementRequest, Delivery)
}


class Channel:
    """One end of a two-way connection for values.

    Args:
        end: A connected stream socket.
    """

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._left = b""

    def fileno(self) -> int:
        """The file descriptor, for `selectors`."""
        return self.socket.fileno()

    def send(self, value: Value) -> None:
        """Send one value; blocks until the other end's buffer has it.

        Raises:
            OSError: The other end is gone.
        """
        kind = type(value)
        message = {"kind": kind.__name__, "module": kind.__module__, "value": value.to_json()}
        line = json.dumps(message, separators=(",", ":"))
        self.socket.sendall(line.encode() + b"\n")

    def receive(self) -> list[Value] | None:
        """The values that have arrived, after waiting for at least some bytes; None when the other end is gone."""
        try:
            data = self.socket.recv(1 << 16)
        except OSError:
            return None
        if not data:
            return None
        *lines, self._left = (self._left + data).split(b"\n")
        return [_parse(json.loads(line)) for line in lines]

    def close(self) -> None:
        """Close this end."""
        self.socket.close()


def _parse(message: dict[str, Any]) -> Value:
    name = message["kind"]
    if name not in TRIAL_MESSAGES and name not in MESSAGES:  # defined in a module that is not imported yet
        importlib.import_module(message["module"])
    return (TRIAL_MESSAGES.get(name) or MESSAGES[name]).from_json(message["value"])
