"""The application itself, without a web server: batches, deadlines, limits that hold together, and what is plugged in."""

import asyncio
import functools
import json
import shutil
import time

import pytest

from lepton_automl.serving.keys import KeyFile, KeyRing
from lepton_automl.serving.limits import Limits
from lepton_automl.serving.sources import FolderSource

from .models import ROW, clerk

pytest.importorskip("prometheus_client", reason="the extra serve is not installed")


def in_a_loop(test):
    """Run a test in an event loop of its own."""

    @functools.wraps(test)
    def run(*arguments, **named):
        asyncio.run(test(*arguments, **named))

    return run


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return clerk(tmp_path_factory.mktemp("models") / "clerk")


class Asked:
    """An application with one model, asked without a network."""

    def __init__(self, bundle, folder, limits=None, name="", **parts):
        from lepton_automl.serving.app import ServingApp
        from lepton_automl.serving.catalogue import Catalogue
        from lepton_automl.serving.state import ServerState

        limits = limits or Limits()
        file = KeyFile(folder / "state")
        catalogue = Catalogue([FolderSource(bundle, name)], limits)
        self.state = ServerState(catalogue, KeyRing(file), file.prediction_ids(), limits, **parts)
        self.app = ServingApp(self.state)

    async def __aenter__(self):
        await self.state.open(0)
        self.model = self.state.catalogue.first.champion
        return self

    async def __aexit__(self, *_):
        await self.state.close()

    def slow(self, seconds, *, inline=0):
        """Make every call of the network take so long, and be done by the model's own thread or by the event loop."""
        network, self.calls = self.model.predictor.model, []

        def call(arrays):
            self.calls.append(len(next(iter(arrays.values()))))
            time.sleep(seconds)
            return network(arrays)

        self.model.predictor.model, self.model.inline_rows = call, inline

    async def ask(self, path="/invocations", rows=(ROW,), parts=None, **headers):
        body = json.dumps({"dataframe_records": rows}).encode()
        waiting = list(parts or [body])
        scope = {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json"),
                        *((name.encode(), value.encode()) for name, value in headers.items())],
        }  # fmt: skip
        sent = []

        async def receive():
            await asyncio.sleep(0.01 if parts else 0)
            if not waiting:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting) or parts is not None}

        async def send(message):
            sent.append(message)

        await self.app(scope, receive, send)
        return (sent[0]["status"], json.loads(sent[1]["body"])) if sent else None


@in_a_loop
async def test_requests_are_answered_together_only_if_they_wait(bundle, tmp_path):
    async with Asked(bundle, tmp_path) as asked:
        rows = [{**ROW, "age": age} for age in range(24)]
        expected = [(await asked.ask(rows=[row]))[1]["predictions"] for row in rows]
        asked.slow(0.05)
        start = time.monotonic()
        assert (await asked.ask(rows=rows[:1]))[1]["predictions"] == expected[0]
        assert time.monotonic() - start < 0.045 + 0.05  # nobody was waited for
        bad = asked.ask(rows=[{**ROW, "age": "old"}])
        *answers, (status, refused) = await asyncio.gather(*(asked.ask(rows=[row]) for row in rows), bad)
        assert [answer["predictions"] for _, answer in answers] == expected
        assert status == 400 and "age" in refused["error"]
        assert len(asked.calls) <= 4 and sum(asked.calls) == 25


@in_a_loop
async def test_requests_of_the_same_moment_are_answered_together(bundle, tmp_path):
    async with Asked(bundle, tmp_path) as asked:
        rows = [{**ROW, "age": age} for age in range(24)]
        expected = [(await asked.ask(rows=[row]))[1]["predictions"] for row in rows]
        asked.slow(0.0, inline=100)
        asked.state.requests = lambda: 25
        bad = asked.ask(rows=[{**ROW, "age": "old"}])
        *answers, (status, _) = await asyncio.gather(*(asked.ask(rows=[row]) for row in rows), bad)
        assert [answer["predictions"] for _, answer in answers] == expected and status == 400
        assert asked.calls == [24]
        with asked.model._lock:  # a thread uses the model: the loop does not wait for it
            waiting = asyncio.gather(*(asked.ask(rows=[row]) for row in rows))
            await asyncio.sleep(0.05)
            assert not waiting.done()
        assert [answer["predictions"] for _, answer in await waiting] == expected
        asked.model.predictor.model = None  # fails for all alike
        assert {status for status, _ in await asyncio.gather(*(asked.ask(rows=[row]) for row in rows))} == {500}


@in_a_loop
async def test_many_rows_give_way_to_few(bundle, tmp_path):
    async with Asked(bundle, tmp_path) as asked:
        asked.slow(0.02)
        asked.model._bulk_rows = 10
        long = asyncio.create_task(asked.ask(rows=[ROW] * 400))
        await asyncio.sleep(0.1)
        for _ in range(3):
            assert (await asked.ask())[0] == 200
        assert not long.done()
        status, answer = await long
        assert status == 200 and len(answer["predictions"]) == 400


@in_a_loop
async def test_waiting_is_limited_in_number_and_time(bundle, tmp_path):
    async with Asked(bundle, tmp_path, Limits(waiting=2, answer_seconds=0.2)) as asked:
        asked.slow(0.15)
        answers = await asyncio.gather(*(asked.ask() for _ in range(8)))
        assert {200, 503} <= {status for status, _ in answers}
        asked.slow(0.5)
        status, answer = await asked.ask()
        assert status == 504 and "longer than 0.2 seconds" in answer["error"]


@in_a_loop
async def test_bodies_are_limited_together_and_forgotten(bundle, tmp_path):
    async with Asked(bundle, tmp_path, Limits(held_bytes=5000)) as asked:
        parts = [b" " * 1000] * 4
        answers = await asyncio.gather(*(asked.ask(parts=parts) for _ in range(3)))
        assert 503 in {answer[0] for answer in answers if answer} and None in answers  # the others lost their client
        assert asked.state.bodies.held == 0


@in_a_loop
async def test_explaining_has_its_own_limit_and_deadline(bundle, tmp_path):
    class Explainer:
        seconds = 0.0

        def explain(self, model, version, rows, params):
            time.sleep(self.seconds)
            return [{"age": 1.0} for _ in rows]

    explainer = Explainer()
    async with Asked(bundle, tmp_path, Limits(explain_seconds=0.2, explain_rows=2), explainer=explainer) as asked:
        status, answer = await asked.ask("/explain")
        assert status == 200 and answer == {"model": "clerk", "version": "1", "explanations": [{"age": 1.0}]}
        assert (await asked.ask("/explain", rows=[ROW] * 3))[0] == 413
        explainer.seconds = 0.5
        late = asyncio.create_task(asked.ask("/explain"))
        await asyncio.sleep(0.05)
        assert (await asked.ask("/explain"))[0] == 503
        assert (await late)[0] == 504
        assert (await asked.ask("/explain"))[0] == 503  # the thread cannot be stopped, so it still counts
        await asyncio.sleep(0.6)
        explainer.seconds = 0.0
        assert (await asked.ask("/explain"))[0] == 200


@in_a_loop
async def test_a_log_that_fails_loses_only_its_lines(bundle, tmp_path):
    class Log:
        def __init__(self):
            self.kept = []

        def write(self, answered):
            if not self.kept:
                self.kept.append(None)
                raise OSError("the disk is full")
            self.kept += answered

        def close(self):
            self.kept.append("closed")

    log = Log()
    async with Asked(bundle, tmp_path, log=log) as asked:
        for count in (1, 2):
            assert (await asked.ask())[0] == 200
            await asked.state.log.drain()
            assert asked.state.log.dropped == 1, count
    assert [getattr(one, "model", one) for one in log.kept] == [None, "clerk", "closed"]


@in_a_loop
async def test_a_failure_of_the_server_is_said_without_its_inside(bundle, tmp_path, caplog):
    async with Asked(bundle, tmp_path) as asked:

        def fail(*_):
            raise RuntimeError("secret path /srv/x")

        asked.model.predictor.model = fail
        status, answer = await asked.ask()
        assert status == 500 and "secret" not in json.dumps(answer) and "the server failed" in answer["error"]
    assert "secret path" in caplog.text


@in_a_loop
async def test_a_model_may_have_any_name(bundle, tmp_path):
    for name in ("versions", "models", "infer", "a b.c"):
        async with Asked(bundle, tmp_path, name=name) as asked:
            for path in (f"/models/{name}/invocations", f"/models/{name}/versions/1/invocations"):
                assert (await asked.ask(path))[0] == 200
            assert (await asked.ask(f"/models/{name}/versions/2/invocations"))[0] == 404


@in_a_loop
async def test_a_half_copied_version_is_tried_again(bundle, tmp_path, monkeypatch):
    from lepton_automl.serving import catalogue

    monkeypatch.setattr(catalogue, "AGAIN", 0.05)
    versions = tmp_path / "versions"
    shutil.copytree(bundle, versions / "1")
    async with Asked(versions, tmp_path) as asked:
        entry = asked.state.catalogue.first
        (versions / "2").mkdir()
        shutil.copy(bundle / "manifest.json", versions / "2")
        assert not await entry.refresh() and "is missing" in entry.problem
        assert not await entry.refresh() and entry.champion.version == "1"  # not tried at every look
        shutil.copytree(bundle, versions / "2", dirs_exist_ok=True)
        await asyncio.sleep(0.06)
        assert await entry.refresh() and entry.champion.version == "2" and not entry.problem
        assert (await asked.ask())[0] == 200


@in_a_loop
async def test_what_waits_is_counted(bundle, tmp_path):
    async with Asked(bundle, tmp_path, Limits(held_bytes=1_000_000)) as asked:
        asked.slow(0.05)
        rows = [{**ROW, "city": "x" * 1000}] * 400
        several = [asyncio.create_task(asked.ask(rows=rows)) for _ in range(4)]
        await asyncio.sleep(0.03)
        assert asked.state.bodies.held > 1_000_000  # each came in one piece here, but waits
        late = json.dumps({"dataframe_records": [ROW]}).encode()
        assert (await asked.ask(parts=[late, b" "]))[0] == 503
        assert {status for status, _ in await asyncio.gather(*several)} == {200} and asked.state.bodies.held == 0
