"""The application: checks who asks and how much arrives, finds the endpoint, and turns every failure into a clear answer."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import Any

from .endpoints import routes_of
from .exchange import DisconnectedError, Endpoint, Receive, Request, Response, Send
from .keys import Caller, local_caller
from .refusal import RefusalError
from .state import ServerState

LOCAL_HOST = re.compile(rb"localhost|127(\.\d{1,3}){3}|\[::1\]", re.IGNORECASE)
_CLOSE = (b"connection", b"close")
_PARTS = {"versions": "version", "models": "model"}
logger = logging.getLogger("lepton_automl.serving")


class ServingApp:
    """An ASGI application that serves models.

    Args:
        state: What it serves, and to whom.
        require_key: Whether every request needs a key, except those for bare health; else callers from this machine need none.
    """

    def __init__(self, state: ServerState, *, require_key: bool = False) -> None:
        self.state, self.require_key = state, require_key
        self._limits, self._keys = state.limits, state.keys
        self._local = local_caller()
        self._routes = routes_of(state)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        try:
            response = await self._respond(scope, receive, time.perf_counter())
        except DisconnectedError:
            return
        self.state.metrics.responded(response.status)
        headers = [
            (b"content-type", response.content_type),
            (b"content-length", b"%d" % len(response.body)),
            *response.headers,
        ]
        if self.state.draining:
            headers.append(_CLOSE)
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _respond(self, scope: Any, receive: Receive, started: float) -> Response:
        try:
            request = self._admitted(scope, receive, started)
            return await request.endpoint.handler(request)
        except RefusalError as refusal:
            return Response.refusing(refusal)
        except (DisconnectedError, asyncio.CancelledError):
            raise
        except Exception:
            logger.exception("A request to %s failed.", scope.get("path", "")[:100])
            fix = "It is in the server's log. Tell whoever runs the server."
            return Response.refusing(RefusalError(500, "the server failed", fix=fix))

    def _admitted(self, scope: Any, receive: Receive, started: float) -> Request:
        """The request, after all checks that need no body.

        Raises:
            RefusalError: Its headers are too long, its address is not known, its caller may not ask this, or asks too often, or
                its body is of a type that is not read.
        """
        size = len(scope["raw_path"]) + len(scope["query_string"])
        authorization = host = b""
        content_type, length, coding = b"", None, b""
        for name, value in scope["headers"]:
            size += len(name) + len(value) + 4
            if name == b"content-type":
                content_type = value
            elif name == b"content-length":
                length = int(value) if value.isdigit() and len(value) < 20 else self._limits.body_bytes + 1
            elif name == b"authorization":
                if authorization:
                    raise RefusalError(400, "there are two", where="the header Authorization")
                authorization = value
            elif name == b"host":
                host = value
            elif name == b"content-encoding":
                coding = value
        if size > self._limits.header_bytes:
            fix = f"Send at most {self._limits.header_bytes:,} bytes of headers."
            raise RefusalError(431, "they are too long", where="the headers", fix=fix)
        endpoint, model, version = self._route(scope["method"], scope["path"])
        caller = self._caller(authorization, host, endpoint)
        wait = caller.bucket.take() if endpoint.role is not None else 0.0
        if wait:
            what = f"the key {caller.name!r} may ask {caller.bucket.rate:g} times a second"
            raise RefusalError(429, what, fix=f"Wait {wait:.1f} seconds.", retry_after=wait)
        kind = content_type.decode("latin-1").lower().replace(" ", "")
        if endpoint.types and kind not in endpoint.types:
            what = f"{kind[:100]!r} is not read here" if kind else "it is missing"
            fix = f"Send {' or '.join(sorted(kind for kind in endpoint.types if ';' not in kind))}."
            raise RefusalError(415, what, where="the header Content-Type", fix=fix)
        if coding and coding.lower() != b"identity":
            raise RefusalError(415, "compressed bodies are not read", where="the header Content-Encoding", fix="Send it plain.")
        if length is not None and length > (endpoint.bytes or self._limits.body_bytes):
            fix = f"Send at most {endpoint.bytes or self._limits.body_bytes:,} bytes in one request."
            raise RefusalError(413, "it is too long", where="the body", fix=fix)
        return Request(receive, endpoint, caller, kind, length, started, model, version)

    def _route(self, method: str, path: str) -> tuple[Endpoint, str | None, str | None]:
        """The endpoint of a path, with the model and the version in it.

        Raises:
            RefusalError: There is no such path, or it takes other methods.
        """
        model = version = None
        methods = self._routes.get(path)
        if methods is None:
            pattern, model, version = _pattern_of(path)
            methods = self._routes.get(pattern)
        if methods is None:
            raise RefusalError(404, f"there is nothing at {path[:100]!r}", where="the address", fix="GET /docs lists all.")
        endpoint = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
        if endpoint is None:
            fix = f"Use {' or '.join(methods)}."
            raise RefusalError(405, f"{method[:20]} is not possible at {path[:100]!r}", where="the address", fix=fix)
        return endpoint, model, version

    def _caller(self, authorization: bytes, host: bytes, endpoint: Endpoint) -> Caller:
        """Who asks.

        Raises:
            RefusalError: The key is missing or wrong, or its roles do not allow this.
        """
        if authorization:
            kind, _, key = authorization.partition(b" ")
            found = self._keys.caller(key.strip()) if kind.lower() == b"bearer" else None
            if found is None:
                fix = "Send it as: Authorization: Bearer lepton_... Make one: lepton keys add NAME"
                raise RefusalError(401, "the key is not valid", where="the header Authorization", fix=fix)
            caller = found
        elif endpoint.role is None:
            return self._local
        elif self.require_key:
            fix = "Send one: Authorization: Bearer lepton_..."
            raise RefusalError(401, "a key is needed", where="the header Authorization", fix=fix)
        else:
            self._check_host(host)
            caller = self._local
        if endpoint.role is not None and endpoint.role not in caller.roles:
            what = f"this needs the role {endpoint.role}, and the caller has {', '.join(sorted(caller.roles)) or 'none'}"
            fix = f"Use a key with it: lepton keys add NAME --role {endpoint.role}"
            raise RefusalError(403, what, where=caller.name, fix=fix)
        return caller

    @staticmethod
    def _check_host(host: bytes) -> None:
        """Refuse a page of another site that a browser on this machine shows: its name was made to lead here.

        Raises:
            RefusalError: The header names another host than this machine.
        """
        name = host if host.endswith(b"]") else host.rpartition(b":")[0] or host
        if not LOCAL_HOST.fullmatch(name):
            fix = "Ask 127.0.0.1 or localhost, or use a key."
            raise RefusalError(403, "without a key, only this machine is answered", where="the header Host", fix=fix)


def _pattern_of(path: str) -> tuple[str, str | None, str | None]:
    """A path with `{model}` and `{version}` in place of their values, and the values."""
    found: dict[str, str] = {}
    parts = path.split("/")
    for at in range(len(parts) - 1):
        name = _PARTS.get(parts[at])  # not of a value that was replaced: a model may be named "versions"
        if name and name not in found and parts[at + 1]:
            found[name] = parts[at + 1]
            parts[at + 1] = "{" + name + "}"
    return "/".join(parts), found.get("model"), found.get("version")
