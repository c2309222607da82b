"""Middleware for MLflow's scoring server that validates requests, calls the model, and returns clear errors.

MLflow 3.17 has no limit on a body, answers some malformed ones with an empty "Internal Server Error" and others with a
traceback or the whole request, and converts a row through three pandas frames, which takes several milliseconds. So requests
to `/invocations` are handled here; the formats of requests and responses are MLflow's own
(https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/). This file is copied next to the bundle of a registered
model, so it is self-contained; the model calls `guard` when it is loaded.
"""

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Rows = list[dict[str, Any]]
Answer = Callable[[Rows, dict[str, Any]], Rows]
FORMS = ("dataframe_split", "dataframe_records", "inputs", "instances")
PARAMS = "params"  # the key of the model's parameters, beside the rows
ASK = f"Send one JSON object with one of the keys {', '.join(FORMS)}."
HELD = 256 << 20  # bytes of bodies in memory, of all requests together
PROTOCOLS = (("uvicorn.protocols.http.h11_impl", "H11Protocol"), ("uvicorn.protocols.http.httptools_impl", "HttpToolsProtocol"))
SLOTS = 4  # requests processed at a time: a hostile body can take fifty times its size in memory
LONGEST = 1000  # characters of a message
APP = "mlflow.pyfunc.scoring_server.app"


class RefusedError(Exception):
    """A rejected request.

    Args:
        what: What is wrong, and how to fix it.
        status: The HTTP status.
    """

    def __init__(self, what: str, status: int = 400) -> None:
        super().__init__(what)
        self.status = status


def guard(answer: Answer, columns: Sequence[str], **limits: Any) -> None:
    """Add the middleware to the app that MLflow's scoring server is about to create; do nothing elsewhere.

    The server has no hook for it: `scoring_server/app.py` loads the model, then creates the app with FastAPI's class. So that
    class is replaced by a factory for one call, and restored as soon as the app is created.

    Args:
        answer: Called with rows and the model's parameters; returns a prediction for every row, or raises ValueError if a row or
            a parameter does not fit the model.
        columns: The columns of a row.
        **limits: `max_rows` and `max_bytes` of one request, and the seconds in which its headers and its body must arrive:
            `header_seconds` and `body_seconds`.
    """
    if APP not in sys.modules:
        return  # the model is not loaded by the server
    try:
        import fastapi
    except ImportError:
        return  # this version of MLflow does not use FastAPI
    kind = fastapi.FastAPI
    _limit_header_time(limits.pop("header_seconds"))

    def construct(*arguments: Any, **named: Any) -> Any:
        fastapi.FastAPI = kind  # type: ignore[misc]  # restored
        app = kind(*arguments, **named)
        app.add_middleware(RequestGuard, answer=answer, columns=columns, **limits)
        return app

    fastapi.FastAPI = construct  # type: ignore[assignment,misc]  # for one call


def _limit_header_time(seconds: float) -> None:
    """Make the web server close connections that do not send a request's headers in time.

    uvicorn 0.54 waits without limit for the first request of a connection and for the end of any headers, and has no setting
    for it, so its connections get a timer.

    Args:
        seconds: From the opening of a connection, or from the first byte of a later request.
    """
    for module, name in PROTOCOLS:
        try:
            protocol = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):  # not installed, or another version of uvicorn
            continue
        if not hasattr(protocol, "lepton_timer"):
            protocol.lepton_timer = None
            for method in ("connection_made", "data_received", "connection_lost"):
                setattr(protocol, method, _timed(getattr(protocol, method), seconds, lost=method == "connection_lost"))


def _timed(method: Callable[..., Any], seconds: float, *, lost: bool) -> Callable[..., Any]:
    """Wrap a method of a connection to update its timer afterwards, which runs while headers are awaited."""

    def call(self: Any, *arguments: Any) -> Any:
        result = method(self, *arguments)
        answering = self.cycle is not None and not self.cycle.response_complete
        if self.lepton_timer is not None and (answering or lost):
            self.lepton_timer.cancel()
            self.lepton_timer = None
        elif self.lepton_timer is None and not (answering or lost):
            self.lepton_timer = self.loop.call_later(seconds, self.transport.abort)
        return result

    return call


class RequestGuard:
    """ASGI middleware; takes the app and the arguments of `guard`."""

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        *,
        answer: Answer,
        columns: Sequence[str],
        max_rows: int,
        max_bytes: int,
        body_seconds: float,
    ) -> None:
        self.app, self.answer, self.columns = app, answer, columns
        self.max_rows, self.max_bytes, self.body_seconds = max_rows, max_bytes, body_seconds
        self.held = 0  # bytes of bodies in memory
        self.slots = asyncio.Semaphore(SLOTS)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Handle a request for predictions; pass all others to the server."""
        if scope["type"] != "http" or scope["path"] != "/invocations" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        closing = []
        body = bytearray()
        try:
            await self._read(body, scope, receive)
            async with self.slots:
                status, content = await asyncio.to_thread(self._respond, bytes(body))
        except RefusedError as error:
            status, content = _failure(error.status, error)
            if error.status in {408, 503}:
                closing = [(b"connection", b"close")]  # do not wait for the rest of the body
        finally:
            self.held -= len(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode()), *closing]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _respond(self, body: bytes) -> tuple[int, bytes]:
        """The status and the body of the response."""
        try:
            rows, params = rows_of(body, self.columns, self.max_rows)
            return 200, json.dumps({"predictions": self.answer(rows, params)}).encode()
        except RefusedError as error:
            return _failure(error.status, error)
        except (ValueError, TypeError, OverflowError) as error:
            return _failure(400, error)
        except Exception as error:
            return _failure(500, RuntimeError(f"The prediction failed: {error}"))

    async def _read(self, body: bytearray, scope: Any, receive: Receive) -> None:
        """Read the whole body.

        Raises:
            RefusedError: The content type is not JSON, the body is too long or too slow, or the server is busy; the rest is not read.
        """
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        kind = headers.get("content-type", "")
        if kind.lower().replace(" ", "") not in {"application/json", "application/json;charset=utf-8"}:
            raise RefusedError(f"The content type is {kind[:100]!r}; this model takes application/json. {ASK}", 415)
        what = f"The body is too long; send at most {self.max_bytes:,} bytes per request."
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length[:20]) > self.max_bytes:
            raise RefusedError(what, 413)
        more, until = True, time.monotonic() + self.body_seconds
        while more:
            try:
                part = await asyncio.wait_for(receive(), max(0.0, until - time.monotonic()))
            except TimeoutError:
                late = f"The body did not arrive within {self.body_seconds:g} seconds; send less in one request."
                raise RefusedError(late, 408) from None
            body += part.get("body", b"")
            self.held += len(part.get("body", b""))
            more = part["type"] == "http.request" and part.get("more_body", False)
            if len(body) > self.max_bytes:
                raise RefusedError(what, 413)
            if self.held > HELD:
                raise RefusedError("The server is busy; send this request again later.", 503)


def _failure(status: int, error: Exception) -> tuple[int, bytes]:
    code = "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR"
    return status, json.dumps({"error_code": code, "message": str(error)[:LONGEST]}).encode()


def rows_of(body: bytes, columns: Sequence[str], most: int) -> tuple[Rows, dict[str, Any]]:
    """The rows of a request, and the parameters of the model.

    Args:
        body: JSON in one of the formats of MLflow's server.
        columns: The columns of a row, for rows without names.
        most: The maximum number of rows.

    Raises:
        RefusedError: It is not JSON, is nested too deeply, has another format, or has no rows or too many.
    """
    form, content, params = _content_of(body)
    alone = len(columns) == 1 and form in {"inputs", "instances"}  # the rows may be bare cells
    if form == "dataframe_split":
        content, columns = _split(content, columns)
    elif form != "dataframe_records" and isinstance(content, dict):
        content, columns, alone = _transposed(content, most), list(content), False
    if not isinstance(content, list) or not content:
        raise RefusedError(f"There are no rows in {form}; send a list of at least one.")
    if len(content) > most:
        raise RefusedError(f"{len(content):,} rows are too many; send at most {most:,} in one request.", 413)
    return [_row(row, columns, number, alone=alone) for number, row in enumerate(content, 1)], params


def _content_of(body: bytes) -> tuple[str, Any, dict[str, Any]]:
    try:
        document = json.loads(body)
    except RecursionError:
        raise RefusedError(f"The JSON is nested too deeply. {ASK}") from None
    except ValueError as error:  # also for bytes that are not text, and numbers with thousands of digits
        raise RefusedError(f"The body is not valid JSON: {error}. {ASK}") from None
    if not isinstance(document, dict):
        raise RefusedError(f"The JSON is not an object. {ASK}")
    forms = [form for form in FORMS if form in document]
    if len(forms) != 1:
        raise RefusedError(f"The JSON has the wrong keys: {', '.join(map(repr, document))[:200] or 'none'}. {ASK}")
    params = document.get(PARAMS) or {}
    if not isinstance(params, dict):
        raise RefusedError('The key params takes an object, such as {"coverage": 0.9}.')
    return forms[0], document[forms[0]], params


def _split(content: Any, columns: Sequence[str]) -> tuple[Any, Sequence[str]]:
    """Rows and their columns, from a frame in pandas' `split` format."""
    if not isinstance(content, dict) or "data" not in content or content.keys() - {"columns", "data", "index"}:
        raise RefusedError('dataframe_split takes {"columns": [names], "data": [rows]}.')
    columns = content.get("columns", columns)
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise RefusedError("The columns of dataframe_split must be a list of names.")
    return content["data"], columns


def _transposed(columns: dict[str, Any], most: int) -> list[Any]:
    """Convert columns of equal length to rows, and bare cells to one row. Pixels [H, W] in the only column are one cell."""
    if len(columns) == 1 and _axes(*columns.values())[0] == 2:
        return [list(columns.values())]
    if not any(isinstance(cells, list) for cells in columns.values()):
        return [list(columns.values())] if columns else []
    lengths = {len(cells) if isinstance(cells, list) else -1 for cells in columns.values()}
    if len(lengths) > 1:
        raise RefusedError("The columns differ in length; send lists of equal length.")
    if max(lengths) > most:
        raise RefusedError(f"{max(lengths):,} rows are too many; send at most {most:,} in one request.", 413)
    return [list(cells) for cells in zip(*columns.values(), strict=True)]


def _holds_a_cell(row: Any) -> bool:
    """Whether a row of one column is a list that contains its cell, and not the cell itself.

    Pixels are lists too: [H, W], or [H, W, C] with at most four channels. A list that contains one such list is a row.
    """
    if not isinstance(row, list) or len(row) != 1:
        return False
    axes, last = _axes(row)
    return axes == 1 or axes > 3 or (axes == 3 and last > 4)


def _axes(cell: Any) -> tuple[int, int]:
    """The depth of nested lists, up to 4, and the length of the innermost list that was inspected."""
    axes, last = 0, 0
    while isinstance(cell, list) and cell and axes < 4:
        axes, last, cell = axes + 1, len(cell), cell[0]
    return axes, last


def _row(row: Any, columns: Sequence[str], number: int, *, alone: bool) -> dict[str, Any]:
    if isinstance(row, dict):
        return row
    if alone and not _holds_a_cell(row):
        row = [row]
    if not isinstance(row, list) or len(row) != len(columns):
        what = f"{len(row)} cells" if isinstance(row, list) else "no cells"
        raise RefusedError(f"Row {number} has {what}, for {len(columns)} columns; send an object with the columns' names.")
    return dict(zip(columns, row, strict=True))
