"""Limits on everything that arrives at the server, and on how long anything may take."""

from __future__ import annotations

from dataclasses import dataclass, fields

from lepton_automl.errors import Complaints


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a server; every one holds before the thing that it limits is decoded.

    Args:
        header_bytes: Bytes of a request's line and headers.
        body_bytes: Bytes of a request's body.
        held_bytes: Bytes of all bodies that are in memory at a time.
        rows: Rows in one request.
        pixels: Decoded pixels in one request, added up before any picture is decoded.
        connections: Open connections, idle ones included.
        waiting: Requests that wait for one model; further ones are refused until some are answered.
        header_seconds: From the opening of a connection, or the first byte of a later request, to the end of its headers.
        body_seconds: From the headers to the end of the body.
        answer_seconds: From the body to the answer.
        write_seconds: For a client to take the answer.
        idle_seconds: Until an idle connection is closed.
        drain_seconds: For the requests in progress when the server is told to end.
        explain_rows: Rows in one request for explanations.
        explain_seconds: For the explanations of one request.
        explaining: Requests for explanations in progress at a time.
    """

    header_bytes: int = 16 << 10
    body_bytes: int = 16 << 20
    held_bytes: int = 256 << 20
    rows: int = 10_000
    pixels: int = 64_000_000
    connections: int = 500
    waiting: int = 256
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    answer_seconds: float = 30.0
    write_seconds: float = 30.0
    idle_seconds: float = 75.0
    drain_seconds: float = 20.0
    explain_rows: int = 16
    explain_seconds: float = 30.0
    explaining: int = 1

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: A limit is not a positive number; all that are not are named.
        """
        complaints = Complaints("Limits")
        for field in fields(self):
            value = getattr(self, field.name)
            whole = field.type == "int"
            good = isinstance(value, int if whole else int | float) and not isinstance(value, bool) and 0 < value < float("inf")
            kind = "an integer" if whole else "a number"
            complaints.check(good, f"{field.name} is {value!r}; it must be {kind} above 0")
        complaints.raise_any()
