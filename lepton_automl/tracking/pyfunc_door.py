"""A door before MLflow's scoring server: it lets in what the server can read, and tells what it turns away in a sentence.

MLflow 3.17 has no limit on a body and answers some malformed ones with an empty "Internal Server Error"; others with
a traceback, or with the whole request again. This file lies beside the bundle of a registered model and stands alone; the
model calls `guard` when it is loaded. See mlflow/pyfunc/scoring_server/__init__.py.
"""

import json
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
FORMS = ("dataframe_split", "dataframe_records", "inputs", "instances")
ASK = f"Send one JSON object with one of the keys {', '.join(FORMS)}."
LONGEST = 1000  # characters of a message
LACKING = " Give every column of the model's signature by its name, and null for a cell that is not known."
APP = "mlflow.pyfunc.scoring_server.app"


class RefusedError(Exception):
    """A request that is turned away.

    Args:
        status: The HTTP status.
        what: What is wrong, and what to do.
    """

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


def guard(max_rows: int, max_bytes: int) -> None:
    """Put the door into the app that MLflow's scoring server is about to make; elsewhere do nothing.

    The server has no hook for it: `scoring_server/app.py` loads the model, then makes the app with FastAPI's class. So that
    name stands for a maker once, and for the class again as soon as the app is made.

    Args:
        max_rows: Rows of one request.
        max_bytes: Bytes of one request's body.
    """
    if APP not in sys.modules:
        return  # a person has loaded the model
    try:
        import fastapi
    except ImportError:
        return  # this MLflow serves in another way
    kind = fastapi.FastAPI

    def made(*given: Any, **named: Any) -> Any:
        fastapi.FastAPI = kind  # type: ignore[misc]  # as it was
        app = kind(*given, **named)
        app.add_middleware(Door, max_rows=max_rows, max_bytes=max_bytes)
        return app

    fastapi.FastAPI = made  # type: ignore[assignment,misc]  # for one call


def admit(body: bytes, max_rows: int) -> bytes:
    """A body as MLflow should read it.

    Raises:
        RefusedError: It is no JSON, nested too deeply, of another form, or has too many rows.
    """
    try:
        asked = json.loads(body)
    except RecursionError:
        raise RefusedError(400, f"The JSON is nested too deeply. {ASK}") from None
    except ValueError as error:  # also of bytes that are no text, and of numbers with thousands of digits
        raise RefusedError(400, f"The body is no JSON: {str(error)[:LONGEST]}. {ASK}") from None
    if not isinstance(asked, dict):
        raise RefusedError(400, f"The JSON is no object. {ASK}")
    forms = [form for form in FORMS if form in asked]
    if len(forms) != 1:
        found = ", ".join(map(repr, asked))[:200] or "none"
        raise RefusedError(400, f"The JSON has the wrong keys: {found}. {ASK}")
    told, rows = asked[forms[0]], _rows(asked[forms[0]])
    if rows > max_rows:
        raise RefusedError(413, f"{rows:,} rows are too many; send at most {max_rows:,} in one request.")
    if forms[0] == "instances" and isinstance(told, list) and any(isinstance(one, dict) for one in told):
        # MLflow would lay their texts out in one array, each as wide as the longest.
        return json.dumps({"dataframe_records": told}).encode()
    return body


def _rows(told: Any) -> int:
    """Rows of a request, at most: of a list, of a split's data, of columns."""
    if isinstance(told, dict):
        return max((len(part) for part in told.values() if isinstance(part, list)), default=1)
    return len(told) if isinstance(told, list) else 1


class Door:
    """ASGI middleware.

    Args:
        app: What lies behind.
        max_rows: Rows of one request.
        max_bytes: Bytes of one request's body.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], *, max_rows: int, max_bytes: int) -> None:
        self.app, self.max_rows, self.max_bytes = app, max_rows, max_bytes

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Let a request in, or tell why not."""
        if scope["type"] != "http" or scope["path"] != "/invocations" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            body = admit(await self._body(scope, receive), self.max_rows)
            await self.app(_with_length(scope, len(body)), _replay(body, receive), answer.send)
        except RefusedError as error:
            await answer.refuse(error.status, str(error))
        except Exception as error:
            # The model tells its own troubles: what else fails is what MLflow makes of the request.
            await answer.refuse(400, f"The request cannot be read ({type(error).__name__}). {ASK}")

    async def _body(self, scope: Any, receive: Receive) -> bytes:
        """The whole body.

        Raises:
            RefusedError: It is not said to be JSON, or too long; what is left of it is not read.
        """
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        kind = headers.get("content-type", "")
        if kind.partition(";")[0].strip().lower() != "application/json":
            raise RefusedError(415, f"The content type is {kind[:100]!r}; this model takes application/json. {ASK}")
        too_long = RefusedError(
            413, f"The body is too long; send at most {self.max_bytes:,} bytes, in several requests if need be."
        )
        said = headers.get("content-length", "0")
        if said.isdigit() and int(said[:20]) > self.max_bytes:
            raise too_long
        body = bytearray()
        more = True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part["type"] == "http.request" and part.get("more_body", False)
            if len(body) > self.max_bytes:
                raise too_long
        return bytes(body)


class _Answer:
    """Passes an answer on; one that tells of a failure is held back until it can be told in a sentence."""

    def __init__(self, send: Send) -> None:
        self._send, self._status, self._held = send, 200, bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        if self._status < 400:
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._held += message.get("body", b"")
            if not message.get("more_body", False):
                await self.refuse(self._status, _sentence(bytes(self._held)))

    async def refuse(self, status: int, what: str) -> None:
        body = json.dumps({"error_code": "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR", "message": what}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _sentence(body: bytes) -> str:
    """What MLflow says is wrong, without the request that it repeats and without its traceback."""
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        message = body.decode("utf-8", "replace")
    message = message.rpartition("Error: ")[2].partition("IMPORTANT: ")[0].strip()[:LONGEST]
    return message + (LACKING if message.startswith("Model is missing inputs") else "")


def _with_length(scope: Any, length: int) -> Any:
    kept = [(name, value) for name, value in scope["headers"] if name.lower() != b"content-length"]
    return {**scope, "headers": [*kept, (b"content-length", str(length).encode())]}


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever comes after it."""
    ahead: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return ahead.pop() if ahead else await receive()

    return again
