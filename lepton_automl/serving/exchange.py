"""One request and its response, between the ASGI protocol and the endpoints."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

from .keys import Caller, Role
from .refusal import RefusalError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
JSON_TYPE, HTML_TYPE, CSV = b"application/json", b"text/html; charset=utf-8", "text/csv"
JSON_TYPES = frozenset({"application/json", "application/json;charset=utf-8"})
CSV_TYPES = frozenset({CSV, "text/csv;charset=utf-8"})


class DisconnectedError(Exception):
    """The client is gone."""


@dataclass(frozen=True)
class Endpoint:
    """What a path and a method lead to.

    Args:
        handler: Makes the response.
        role: What the caller must be allowed to do; None if anyone may ask.
        summary: What it does, for the documentation.
        bytes: The maximum length of a body; 0 for the server's own limit.
        types: Content types that it takes; nothing for requests without a body.
    """

    handler: Callable[[Request], Awaitable[Response]]
    role: Role | None
    summary: str
    bytes: int = 0
    types: frozenset[str] = frozenset()


@dataclass(slots=True)
class Request:
    """A request whose caller and size were checked; its body is not read yet.

    Args:
        receive: Of the ASGI protocol.
        endpoint: What it asks for.
        caller: Who asks.
        content_type: Of its body, in lower case without spaces.
        length: Of its body in bytes, as its headers say; None if they do not.
        started: When it arrived, by the performance counter.
        model: The model in its path; None for the first one.
        version: The version in its path; None for the champion.
    """

    receive: Receive
    endpoint: Endpoint
    caller: Caller
    content_type: str
    length: int | None
    started: float
    model: str | None
    version: str | None


class Response:
    """A response.

    Args:
        body: Its body.
        status: The HTTP status.
        content_type: Of the body.
        headers: Further headers.
    """

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self, body: bytes, status: int = 200, content_type: bytes = JSON_TYPE, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        self.body, self.status, self.content_type, self.headers = body, status, content_type, headers

    @classmethod
    def of(cls, content: Any) -> Response:
        """A response of JSON."""
        return cls(json.dumps(content).encode())

    @classmethod
    def refusing(cls, refusal: RefusalError) -> Response:
        """A response that says why there is no other."""
        return cls(refusal.body(), refusal.status, headers=tuple(refusal.headers()))


class Bodies:
    """Reads bodies, and counts what is in memory.

    Args:
        held_bytes: The maximum of all bodies together.

    Attributes:
        held: Bytes of bodies in memory, while they arrive in several pieces or wait to be answered; others are small.
    """

    def __init__(self, held_bytes: int) -> None:
        self.held, self._most = 0, held_bytes

    async def read(self, request: Request, most: int) -> bytes:
        """A request's whole body. The connection sees to it that it arrives in time.

        Args:
            request: The request.
            most: The maximum length in bytes.

        Raises:
            RefusalError: It is too long, or the server is busy with other bodies.
            DisconnectedError: The client is gone.
        """
        if request.length is not None and request.length > most:
            raise _too_long(most)
        message = await request.receive()
        if message["type"] != "http.request":
            raise DisconnectedError
        first: bytes = message.get("body", b"")
        if len(first) > most:
            raise _too_long(most)
        return await self._rest(first, request, most) if message.get("more_body") else first

    @contextlib.contextmanager
    def holding(self, body: bytes) -> Iterator[None]:
        """Count a body as long as it waits to be answered."""
        self.held += len(body)
        try:
            yield
        finally:
            self.held -= len(body)

    async def _rest(self, first: bytes, request: Request, most: int) -> bytes:
        body = bytearray(first)
        counted = len(first)
        self.held += counted
        more = True
        try:
            while more:
                message = await request.receive()
                if message["type"] != "http.request":
                    raise DisconnectedError
                part = message.get("body", b"")
                body += part
                counted += len(part)
                self.held += len(part)
                if len(body) > most:
                    raise _too_long(most)
                if self.held > self._most:
                    what = "the server holds as many bodies as it may"
                    raise RefusalError(503, what, fix="Send this request again later.", retry_after=1)
                more = message.get("more_body", False)
            return bytes(body)
        finally:
            self.held -= counted


def _too_long(most: int) -> RefusalError:
    return RefusalError(413, "it is too long", where="the body", fix=f"Send at most {most:,} bytes in one request.")


def json_object(body: bytes) -> dict[str, Any]:
    """A body that is one JSON object.

    Raises:
        RefusalError: It is none.
    """
    try:
        content = json.loads(body)
    except RecursionError:
        raise RefusalError(400, "the JSON is nested too deeply", where="the body") from None
    except ValueError as error:
        raise RefusalError(400, f"it is not valid JSON: {error}", where="the body", fix="Send one JSON object.") from None
    if not isinstance(content, dict):
        raise RefusalError(400, "it is no JSON object", where="the body", fix="Send one JSON object.")
    return content
