"""The endpoints: predictions in two protocols, feedback, explanations, health, metrics, and the champion."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from lepton_automl import __version__
from lepton_automl.monitoring.errors import FeedbackError
from lepton_automl.monitoring.ids import ROW

from .docs_page import docs_page
from .exchange import CSV, CSV_TYPES, HTML_TYPE, JSON_TYPES, Endpoint, Request, Response, json_object
from .gather import Gatherer
from .inference_v2 import PLATFORM, V2Request, metadata, request_of
from .invocations import answer_json, rows_of_csv, rows_of_json
from .metrics import CONTENT_TYPE
from .openapi import openapi
from .protocols import Answered, Columns, Feedback, Row
from .refusal import RefusalError, refusal_of
from .served_model import ServedModel
from .state import ServerState

Rows = tuple[Sequence[Row], Mapping[str, Any]]
Routes = dict[str, dict[str, Endpoint]]
INLINE_BYTES = 32 << 10  # bodies up to here are read by the thread that receives them
SMALL = 64 << 10  # bytes of a body that holds no examples
SHORT = 200  # rows of an answer up to which it is written at once
MOST_FEEDBACK = 1000  # in one request
PREDICTION_ID = b"x-prediction-id"
HEALTHY = Response.of({"status": "ok"})


class Endpoints:
    """Handlers of requests.

    Args:
        state: The server's.
    """

    def __init__(self, state: ServerState) -> None:
        self.state, self.limits = state, state.limits
        self._explaining = 0
        self._gatherer = Gatherer(lambda: state.requests())  # noqa: PLW0108  # the server sets it later
        self._openapi: Any = None

    async def invocations(self, request: Request) -> Response:
        """Predict rows in one of MLflow's forms."""
        reader = rows_of_csv if request.content_type.startswith(CSV) else rows_of_json
        body = await self.state.bodies.read(request, self.limits.body_bytes)
        _, columns, prediction_id = await self._predicted(request, body, reader)
        answer = answer_json(columns) if _short(columns) else await asyncio.to_thread(answer_json, columns)
        return Response(answer, headers=((PREDICTION_ID, prediction_id.encode()),))

    async def infer(self, request: Request) -> Response:
        """Predict rows in the form of the Open Inference Protocol."""
        body = await self.state.bodies.read(request, self.limits.body_bytes)
        asked: list[V2Request] = []

        def read(body: bytes, columns: Sequence[str], most: int) -> Rows:
            found = request_of(body, columns, most)
            rows, found.rows = found.rows, ()  # not kept while the request waits
            asked[:] = [found]
            return rows, found.params

        model, columns, prediction_id = await self._predicted(request, body, read)
        write = partial(asked[0].answer, model, columns, prediction_id)
        answer = write() if _short(columns) else await asyncio.to_thread(write)
        return Response(answer, headers=((PREDICTION_ID, prediction_id.encode()),))

    async def _predicted(
        self, request: Request, body: bytes, reader: Callable[[bytes, Sequence[str], int], Rows]
    ) -> tuple[ServedModel, Columns, str]:
        """The version that answers, the columns of its answer, and the prediction's id.

        What is quick is done here, without a change of threads; the rest by the model's own thread, so that others are answered
        meanwhile.
        """
        state = self.state
        entry, model = state.catalogue.champion(request.model)
        if request.version is not None:
            model = await entry.version(request.version)
        columns, most, seconds = model.columns, self.limits.rows, self.limits.answer_seconds
        answers: Columns | None = None
        try:
            if model.inline_rows and len(body) <= INLINE_BYTES:
                rows, params = reader(body, columns, most)
                if len(rows) <= model.inline_rows:
                    if state.requests() <= 1:
                        answers = model.answer(rows, params, wait=False)
                    else:
                        answers = await self._gatherer.answer(model, rows, params)
                if answers is None:
                    _, answers = await entry.worker.answer(model, lambda: (rows, params), seconds)
            else:
                with state.bodies.holding(body):
                    rows, answers = await entry.worker.answer(model, lambda: reader(body, columns, most), seconds)
        except Exception as error:
            refusal = refusal_of(error, "the input")
            if refusal is None:
                raise
            raise refusal from error
        took = time.perf_counter() - request.started
        prediction_id = state.ids.issue(request.caller.id, time.time(), len(rows))
        state.metrics.predicted(model.name, model.version, len(rows), took)
        if state.log.keeps:
            arrived = time.time() - took
            state.log.add(Answered(prediction_id, arrived, request.caller.id, model.name, model.version, rows, answers, took))
        return model, answers, prediction_id

    async def feedback(self, request: Request) -> Response:
        """Take what turned out to be true about predicted rows."""
        sink = self.state.feedback
        content = json_object(await self.state.bodies.read(request, request.endpoint.bytes))
        if sink is None:
            fix = "In Python, lepton_automl.serving.server.serve(feedback=...) takes a store for it."
            raise RefusalError(501, "this server keeps no feedback", where="feedback", fix=fix)
        several = "feedback" in content
        entries = content["feedback"] if several else [content]
        if not isinstance(entries, list) or not 0 < len(entries) <= MOST_FEEDBACK:
            raise RefusalError(400, f"it takes a list of 1 to {MOST_FEEDBACK:,} objects", where="feedback")
        checked = [self._feedback_of(entry, request) for entry in entries]
        good = [one for one in checked if isinstance(one, Feedback)]
        verdicts = iter(await asyncio.to_thread(sink.receive, good) if good else [])
        problems = [next(verdicts) if isinstance(one, Feedback) else one for one in checked]
        if not several and problems[0]:
            raise RefusalError(400, problems[0], where="feedback", fix='Send {"id": PREDICTION_ID, "row": 0, "truth": ...}.')
        results = [{"accepted": not problem} | ({"problem": problem} if problem else {}) for problem in problems]
        return Response.of({"accepted": problems.count(""), "results": results})

    def _feedback_of(self, entry: Any, request: Request) -> Feedback | str:
        """Feedback, or why it is refused."""
        if not isinstance(entry, dict) or "truth" not in entry:
            return "it is no object with an id and the truth"
        row = entry.get("row", 0)
        if isinstance(row, bool) or not isinstance(row, int) or row < 0:
            return "its row is no index of a row"
        try:
            known = self.state.ids.check(f"{entry.get('id')}{ROW}{row}", request.caller.id)
        except FeedbackError as error:
            return error.what
        kept = {"truth": entry["truth"], "caller": request.caller.id, "predicted_at": known.at, "at": time.time()}
        return Feedback(id=entry["id"], row=row, **kept)

    async def explain(self, request: Request) -> Response:
        """Explain the predictions of rows in one of MLflow's forms."""
        explainer = self.state.explainer
        body = await self.state.bodies.read(request, request.endpoint.bytes)
        if explainer is None:
            fix = "StudyModel.explain does, in Python; here, lepton_automl.serving.server.serve(explainer=...) takes what explains."
            raise RefusalError(501, "this server explains no predictions", where="explain", fix=fix)
        _, model = await self.state.catalogue.model(request.model, request.version)
        rows, params = rows_of_json(body, model.columns, self.limits.explain_rows)
        if self._explaining >= self.limits.explaining:
            raise RefusalError(503, "other predictions are being explained", where="explain", fix="Ask later.", retry_after=1)
        self._explaining += 1
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(None, explainer.explain, model.name, model.version, rows, params)
        work.add_done_callback(self._explained)  # a thread cannot be stopped: it counts until it ends
        try:
            found = await asyncio.wait_for(asyncio.shield(work), self.limits.explain_seconds)
        except TimeoutError:
            what = f"it took longer than {self.limits.explain_seconds:g} seconds"
            raise RefusalError(504, what, where="explain", fix="Send fewer rows.") from None
        except Exception as error:
            refusal = refusal_of(error, "the input")
            if refusal is None:
                raise
            raise refusal from error
        return Response.of({"model": model.name, "version": model.version, "explanations": found})

    def _explained(self, work: asyncio.Future[Any]) -> None:
        self._explaining -= 1
        if not work.cancelled():
            work.exception()  # seen, so that it is not reported if nobody waited

    async def promote(self, request: Request) -> Response:
        """Make a version the champion of this server, until its source names another one."""
        content = json_object(await self.state.bodies.read(request, request.endpoint.bytes))
        version = content.get("version")
        if not isinstance(version, str | int) or isinstance(version, bool) or content.keys() != {"version"}:
            raise RefusalError(400, 'it takes {"version": "3"}', where="the body")
        entry = self.state.catalogue.entry(request.model)
        before = entry.champion
        model = await entry.promote(str(version))
        return Response.of({"model": entry.name, "champion": model.version, "before": before.version if before else None})

    async def live(self, request: Request) -> Response:
        """Whether the server runs."""
        del request
        return HEALTHY

    async def ready(self, request: Request) -> Response:
        """Whether the server takes requests: not while it ends."""
        if request.model is not None:
            await self.state.catalogue.model(request.model, request.version)
        if self.state.draining:
            raise RefusalError(503, "the server is about to end", fix="Ask another one.")
        return HEALTHY

    async def details(self, request: Request) -> Response:
        """What is served since when, and what waits."""
        del request
        models = {entry.name: _about(entry) for entry in self.state.catalogue.entries.values()}
        return Response.of(
            {
                "status": "ending" if self.state.draining else "ok",
                "version": __version__,
                "up_seconds": round(time.time() - self.state.started_at, 1),
                "connections": self.state.connections(),
                "held_bytes": self.state.bodies.held,
                "log_dropped": self.state.log.dropped,
                "models": models,
            }
        )

    async def server(self, request: Request) -> Response:
        """What the Open Inference Protocol says about a server."""
        del request
        return Response.of({"name": PLATFORM, "version": __version__, "extensions": []})

    async def model(self, request: Request) -> Response:
        """What the Open Inference Protocol says about a model."""
        entry, model = await self.state.catalogue.model(request.model, request.version)
        return Response.of(metadata(model, list(entry.offer.versions)))

    async def metrics(self, request: Request) -> Response:
        """Counters for Prometheus."""
        del request
        state = self.state
        numbers = {"connections": state.connections(), "held": state.bodies.held, "dropped": state.log.dropped}
        return Response(state.metrics.page(state.catalogue.entries.values(), **numbers), content_type=CONTENT_TYPE)

    async def openapi(self, request: Request) -> Response:
        """The description of all endpoints."""
        del request
        return Response(json.dumps(self._described(), indent=1).encode())

    async def docs(self, request: Request) -> Response:
        """The same as a page."""
        del request
        return Response(docs_page(self._described()).encode(), content_type=HTML_TYPE, headers=_PAGE)

    def _described(self) -> dict[str, Any]:
        champions = [entry.champion for entry in self.state.catalogue.entries.values() if entry.champion is not None]
        return openapi(routes_of(self.state), champions)


_UNSEEN = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))  # of what GET returns for a key
_PAGE = (*_UNSEEN, (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"))


def _short(columns: Columns) -> bool:
    """Whether an answer is written at once; a long one is written by a thread, and others are answered meanwhile."""
    return len(next(iter(columns.values()), ())) <= SHORT


def _about(entry: Any) -> dict[str, Any]:
    champion = entry.champion
    return {
        "champion": champion.version if champion else None,
        "since": round(entry.swapped_at, 1),
        "versions": list(entry.offer.versions),
        "one_row_ms": round(champion.seconds * 1000, 4) if champion else None,
        "waiting": len(entry.worker),
        "batches": entry.worker.batches,
        "batched_requests": entry.worker.batched,
        "problem": entry.problem,
    }


def routes_of(state: ServerState) -> Routes:
    """All endpoints by path and method; `{model}` and `{version}` stand for any name.

    Args:
        state: The server's.
    """
    here = Endpoints(state)
    both = JSON_TYPES | CSV_TYPES
    predict = Endpoint(here.invocations, "predict", "Predict rows, in MLflow's forms", types=both)
    infer = Endpoint(here.infer, "predict", "Predict rows, by the Open Inference Protocol", types=JSON_TYPES)
    about = Endpoint(here.model, "read", "Inputs, outputs and versions of a model")
    ready = Endpoint(here.ready, None, "Whether requests are answered")
    model_ready = Endpoint(here.ready, "read", "Whether a model answers")  # not open: it would say which models there are
    live = Endpoint(here.live, None, "Whether the server runs")
    explain = Endpoint(here.explain, "predict", "Explain predictions", 8 * SMALL, JSON_TYPES)
    feedback = Endpoint(here.feedback, "feedback", "Say what turned out to be true", 4 * SMALL, JSON_TYPES)
    promote = Endpoint(here.promote, "admin", "Make a version the champion of this server", SMALL, JSON_TYPES)
    return {
        "/invocations": {"POST": predict},
        "/models/{model}/invocations": {"POST": predict},
        "/models/{model}/versions/{version}/invocations": {"POST": predict},
        "/v2/models/{model}/infer": {"POST": infer},
        "/v2/models/{model}/versions/{version}/infer": {"POST": infer},
        "/v2/models/{model}": {"GET": about},
        "/v2/models/{model}/versions/{version}": {"GET": about},
        "/v2/models/{model}/ready": {"GET": model_ready},
        "/v2/models/{model}/versions/{version}/ready": {"GET": model_ready},
        "/v2": {"GET": Endpoint(here.server, "read", "The server, by the Open Inference Protocol")},
        "/v2/health/live": {"GET": live},
        "/v2/health/ready": {"GET": ready},
        "/health": {"GET": ready},
        "/ping": {"GET": ready},
        "/health/details": {"GET": Endpoint(here.details, "read", "What is served, and what waits")},
        "/feedback": {"POST": feedback},
        "/explain": {"POST": explain},
        "/models/{model}/explain": {"POST": explain},
        "/models/{model}/champion": {"PUT": promote},
        "/metrics": {"GET": Endpoint(here.metrics, "read", "Counters for Prometheus")},
        "/openapi.json": {"GET": Endpoint(here.openapi, "read", "This description")},
        "/docs": {"GET": Endpoint(here.docs, "read", "This description as a page")},
    }
