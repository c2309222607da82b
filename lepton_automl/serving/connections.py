"""Connections with limits: uvicorn's own have no deadline for a request, and no bound on headers or on open connections.

Needs the extra `serve`.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from .limits import Limits
from .refusal import RefusalError

_COMPLETE, _HEADERS, _BODY = 0, 1, 2  # what of a request is awaited


class OneWrite(RequestResponseCycle):
    """A request whose response is written at once.

    The application sends each response as one start and one body, with headers that it has made itself. So they are not
    searched for line breaks again, and head and body leave in one write.
    """

    async def send(self, message: Any) -> None:
        """Keep the start; write all with the body."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self.response_started, self.waiting_for_100_continue = True, False
            self._start = message
            return
        head = [STATUS_LINE[self._start["status"]]]
        closing = not self.keep_alive
        for name, value in self._start["headers"]:
            head += (name, b": ", value, b"\r\n")
            if name == b"connection":
                self.keep_alive, closing = False, False
        if closing:
            head.append(b"connection: close\r\n")
        head += (b"\r\n", b"" if self.scope["method"] == "HEAD" else message["body"])
        self.transport.write(b"".join(head))
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


class LimitedProtocol(HttpToolsProtocol):
    """One connection; requests that arrive in one piece cost no timer.

    A request that is refused before its body has arrived is answered at once. The rest of the body is read and thrown away, as
    closing the connection would lose the answer; for `body_seconds` at most.
    """

    limits: ClassVar[Limits]

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._awaited, self._armed = _COMPLETE, _COMPLETE
        self._headers_bytes = 0
        self._began = False
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._idle_timer: asyncio.TimerHandle | None = None
        self._idle_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Take a connection, or refuse it if there are too many."""
        if len(self.connections) >= self.limits.connections:
            self.transport, self._refused = transport, True
            what = f"the server has {self.limits.connections:,} open connections, and takes no more"
            self._refuse(RefusalError(503, what, fix="Try again later.", retry_after=1))
            return
        super().connection_made(transport)
        self._arm(_HEADERS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._disarm()
        for timer in (self._write_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        if not self._refused:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what arrived; arm a timer only if a request is not complete."""
        if self._refused:
            return
        self._began = False
        super().data_received(data)
        awaited = self._awaited
        if awaited == _COMPLETE:
            if self._timer is not None:
                self._disarm()
            return
        if awaited == _HEADERS:
            self._headers_bytes = 0 if self._began else self._headers_bytes + len(data)
            if self._headers_bytes > self.limits.header_bytes and not self.transport.is_closing():
                fix = f"Send at most {self.limits.header_bytes:,} bytes of headers."
                self._refuse(RefusalError(431, "they are too long", where="the headers", fix=fix))
                return
        if self._armed != awaited:
            self._arm(awaited)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._awaited, self._began = _HEADERS, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The end of the headers."""
        self._awaited = _BODY
        super().on_headers_complete()
        self.cycle.__class__ = OneWrite  # its task has not begun

    def on_message_complete(self) -> None:
        """The end of a request."""
        self._awaited = _COMPLETE
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        del msg
        self._refuse(RefusalError(400, "this is not a valid HTTP request"))

    def pause_writing(self) -> None:
        """The client does not take the answer fast enough."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client takes the answer."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one; one timer runs for all of a connection's answers."""
        if self.pipeline:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.limits.idle_seconds, self._idle)

    def _idle(self) -> None:
        """Close the connection if it was idle for long, also if the client does not take the rest of an answer."""
        self._idle_timer = None
        if self.transport.is_closing():
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        left = self.limits.idle_seconds if answering else self._idle_since + self.limits.idle_seconds - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._idle)
            return
        self.transport.close()
        self.loop.call_later(self.limits.write_seconds, self.transport.abort)

    def _arm(self, awaited: int) -> None:
        self._disarm()
        self._armed = awaited
        seconds = self.limits.body_seconds if awaited == _BODY else self.limits.header_seconds
        self._timer = self.loop.call_later(seconds, self._late, seconds)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._armed = None, _COMPLETE

    def _late(self, seconds: float) -> None:
        """End a connection whose request did not arrive in time; say so if nothing else is being said."""
        self._timer = None
        if self.transport.is_closing():
            return
        silent = self._awaited == _COMPLETE  # nothing arrived
        answering = self.cycle is not None and not self.cycle.response_complete
        own = answering and self._awaited == _BODY and not self.pipeline and not self.cycle.response_started
        lingering = self._awaited == _BODY and not answering
        if silent or lingering or (answering and not own):
            self.transport.abort()
            return
        if own:
            self.cycle.disconnected = True  # its handler ends without an answer
            self.cycle.message_event.set()
        what, fix = f"it did not arrive within {seconds:g} seconds", "Send less in one request."
        self._refuse(RefusalError(408, what, where="the request", fix=fix))

    def _refuse(self, refusal: RefusalError) -> None:
        body = refusal.body()
        headers = [*refusal.headers(), (b"content-type", b"application/json"), (b"connection", b"close")]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        length = b"content-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[refusal.status] + lines + length + body)
        self.transport.close()


def protocol_with(limits: Limits) -> type[LimitedProtocol]:
    """The class of connections with some limits.

    Args:
        limits: Of the server.
    """
    return type("ServingProtocol", (LimitedProtocol,), {"limits": limits})
