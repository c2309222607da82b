"""Servers of one model: ours as a team runs it, MLflow's, LitServe; under load, hostile requests, slow clients and swaps."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lepton_automl.deployment.predictor import Predictor
from lepton_automl.serving.keys import ROLES, KeyFile
from lepton_automl.tracking.serving import serve_command

from . import payloads
from .environments import last_line, rival_python
from .http_load import Measured, load, loaded, requests_of
from .report import Figure, Result
from .served_rivals.process import Contestant, Running, running
from .servers import free_port
from .serving import CLOSE, Case, hostile_to, picture_case, png, table_case

CHECKOUT = Path(__file__).parents[1]
LITSERVE = "litserve==0.2.19"
SERVER_CORE, LOAD_CORE = 0, 1
SLOW = (
    b"",
    b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nX-A: ",
    b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{",
    b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\nGET /pi",
)
SLOW_CLIENTS = 80
CONNECTIONS = (1, 8)
OURS, MLFLOW, MLFLOW_FAST, LIT = "ours", "mlflow", "mlflow_uvloop", "litserve"
PLAIN = {"UVICORN_LOOP": "asyncio", "UVICORN_HTTP": "h11"}  # what `pip install mlflow` runs on


def ours(folder: Path, **given: Any) -> Contestant:
    """Our server, with a key and a log.

    Args:
        folder: For its keys and its log.
        **given: What it serves; see `served_rivals.ours`.
    """
    port = free_port()
    key = KeyFile(folder).add("benchmark", ROLES)
    settings = json.dumps({**given, "port": port, "state": str(folder)})
    command = [sys.executable, "-m", "benchmarks.served_rivals.ours", settings]
    return Contestant(name=OURS, command=command, port=port, key=key, environment={"PYTHONPATH": str(CHECKOUT)})


def contestants(case: Case, home: Path, folder: Path, *, litserve: bool) -> list[Contestant]:
    """The servers of a study's champion."""
    name = case.study.name
    found = [ours(folder / "ours", registered=name, home=str(home))]
    for rival, settings in ((MLFLOW, PLAIN), (MLFLOW_FAST, {})):
        port = free_port()
        command, environment = serve_command(name, home=home, port=port)
        environment |= {**settings, "PYTHONPATH": str(CHECKOUT)}
        found.append(Contestant(name=rival, command=command, port=port, environment=environment))
    if litserve:
        try:
            python = rival_python("litserve", [LITSERVE], extends=True)
        except Exception as error:
            print(f"LitServe cannot be installed, and is left out: {last_line(error)}", flush=True)
            return found
        script = CHECKOUT / "benchmarks" / "served_rivals" / "lit.py"
        port = free_port()
        command = [str(python), str(script), str(case.study.best().path), str(port)]
        found.append(Contestant(name=LIT, command=command, port=port, path="/predict"))
    return found


# Under load


def right_answers(case: Case, server: Contestant) -> int:
    """How many answers equal the bundle's own."""
    predictor = Predictor(case.study.best().path)
    right = 0
    for body in case.bodies:
        status, reply = server.answer(body)
        rows = predictor.preprocess.from_request(json.loads(body)["dataframe_records"], {"max_pixels": 64_000_000})
        columns = predictor.table(rows)
        expected = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        right += status == 200 and json.loads(reply)["predictions"] == expected
    return right


def measured(server: Contestant, bodies: Path, seconds: float, connections: int) -> Measured:
    """One round of load on a server."""
    return loaded(
        server.port, bodies, connections=connections, seconds=seconds, path=server.path, key=server.key, core=LOAD_CORE
    )


def contest(
    case: Case, servers: Sequence[Contestant], folder: Path, *, rounds: int, seconds: float, starts: int
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Put all servers under the same load in turn.

    Returns:
        The samples of each figure, and how many answers of each server were right.
    """
    bodies = folder / f"{case.study.name}.txt"
    bodies.write_bytes(b"\n".join(case.bodies) + b"\n")
    found: dict[str, list[float]] = {}
    right: dict[str, int] = {}

    def keep(server: Contestant, what: str, value: float) -> None:
        found.setdefault(f"{server.name}_{what}", []).append(value)

    for _ in range(starts - 1):
        for server in servers:
            with running(server, case.bodies[0], SERVER_CORE, folder / f"{server.name}.log") as one:
                keep(server, "start_s", one.seconds)
    with ExitStack() as stack:
        open_servers: dict[str, Running] = {}
        for server in servers:
            one = stack.enter_context(running(server, case.bodies[0], SERVER_CORE, folder / f"{server.name}.log"))
            open_servers[server.name] = one
            keep(server, "start_s", one.seconds)
            right[server.name] = right_answers(case, server)
            measured(server, bodies, seconds, CONNECTIONS[-1])  # the costs of a process's first requests are not counted
        for number in range(rounds):
            for server in servers:
                for connections in CONNECTIONS:
                    before = open_servers[server.name].cpu_seconds
                    one_round = measured(server, bodies, seconds, connections)
                    spent = open_servers[server.name].cpu_seconds - before
                    keep(server, f"cpu_us_{connections}", spent / (one_round.rps * seconds) * 1e6)
                    for what in ("p50_ms", "p99_ms", "rps", "failed"):
                        keep(server, f"{what}_{connections}", getattr(one_round, what))
            print(f"round {number + 1} of {rounds}", flush=True)
        for server in servers:
            keep(server, "memory_mb", open_servers[server.name].memory_mb)
    return found, right


def ratios(found: Mapping[str, list[float]], rival: str) -> dict[str, list[float]]:
    """Ours against a rival, round by round: throughput on eight connections, median latency on one."""
    pairs = zip(found[f"{OURS}_rps_8"], found[f"{rival}_rps_8"], strict=True)
    latencies = zip(found[f"{OURS}_p50_ms_1"], found[f"{rival}_p50_ms_1"], strict=True)
    work = zip(found[f"{OURS}_cpu_us_8"], found[f"{rival}_cpu_us_8"], strict=True)
    return {
        "speedup_rps": [own / other for own, other in pairs],
        "p50_ratio": [own / other for own, other in latencies],
        "cpu_ratio": [own / other for own, other in work],
    }


# Under attack


def refused(server: Contestant, attacks: Sequence[tuple[str, payloads.Payload]]) -> int:
    """How many hostile requests get a 4xx with a message."""
    good = 0
    for path, attack in attacks:
        status, reply = payloads.post(server.port, attack, path=path, headers=server.headers)
        fine = 400 <= status < 500 and len(reply) > 20 and b"Traceback" not in reply
        good += fine
        if not fine:
            print(f"not refused: {attack.name}: {status} {reply[:200]!r}", flush=True)
    return good


def attacks_on(tables: Case, pictures: Case) -> list[tuple[str, payloads.Payload]]:
    """Hostile requests to a server of both models, with their paths."""
    found = []
    for case in (tables, pictures):
        found += [(f"/models/{case.study.name}/invocations", attack) for attack in hostile_to(case)]
    rows = json.loads(tables.bodies[0])["dataframe_records"]
    number = next(name for name, cell in rows[0].items() if isinstance(cell, int | float))
    found += [(f"/v2/models/{tables.study.name}/infer", attack) for attack in payloads.for_tensors(number)]
    picture = payloads.image(png(pictures.raw[0]))
    return [*found, ("/models/none/invocations", payloads.Payload("another model", picture))]


def beside_slow_clients(server: Contestant, bodies: Sequence[bytes], seconds: float) -> tuple[int, float]:
    """Requests beside slow clients: how many failed, and their 99th percentile in ms."""
    with contextlib.ExitStack() as stack:
        slow = []
        for number in range(SLOW_CLIENTS):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 30))
            one.sendall(SLOW[number % len(SLOW)])
            slow.append(one)
        requests = requests_of(bodies, server.path, server.key)
        times, failed, _ = load(server.port, requests, 4, seconds)
    times.sort()
    return failed, times[int(len(times) * 0.99)] * 1e3


# Swaps


def tensors_of(body: bytes) -> bytes:
    """A request with one row, in the form of the Open Inference Protocol, which names the version that answers."""
    (row,) = json.loads(body)["dataframe_records"]
    kinds = {bool: "BOOL", int: "FP64", float: "FP64"}
    inputs = [
        {"name": name, "shape": [1], "datatype": kinds.get(type(cell), "BYTES"), "data": [cell]} for name, cell in row.items()
    ]
    return json.dumps({"inputs": inputs}).encode()


def swapped(case: Case, folder: Path, *, seconds: float) -> dict[str, int]:
    """Swap the champion of a server under load, several times a second: requests that were lost, and wrong answers."""
    versions = folder / "versions"
    models = [case.study.model(trial.number) for trial in case.study.state.trials.values() if trial.result is not None][:2]
    for number, model in enumerate(models, 1):
        shutil.copytree(model.path, versions / str(number))
    expected = {str(number): _expected(model.path, case.bodies) for number, model in enumerate(models, 1)}
    server = ours(folder / "swaps", folders=[str(versions)])
    path = f"/v2/models/{versions.name}/infer"
    seen: dict[str, int] = dict.fromkeys(expected, 0)
    wrong = 0

    def check(at: int, content: bytes) -> bool:
        nonlocal wrong
        answer = json.loads(content.partition(b"\r\n\r\n")[2])
        version = answer["model_version"]
        seen[version] += 1
        wrong += not _same({one["name"]: one["data"][0] for one in answer["outputs"]}, expected[version][at])
        return True

    ended = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        while not ended.wait(0.2):
            version = str(1 + swaps % 2)
            line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            headers = {**server.headers, "Content-Type": "application/json"}
            line.request("PUT", f"/models/{versions.name}/champion", json.dumps({"version": version}), headers)
            swaps += line.getresponse().status == 200
            line.close()

    with running(server, case.bodies[0], SERVER_CORE, folder / "swaps.log"):
        thread = threading.Thread(target=swap)
        thread.start()
        try:
            requests = requests_of([tensors_of(body) for body in case.bodies], path, server.key)
            _, lost, _ = load(server.port, requests, CONNECTIONS[-1], seconds, check)
        finally:
            ended.set()
            thread.join()
    return {"lost": lost, "wrong": wrong, "swaps": swaps, "answers_while_swapping": sum(seen.values()), **_least(seen)}


def _same(answer: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether an answer is that of the version it names; a batch may round its last digits otherwise."""
    if answer.keys() != expected.keys():
        return False
    pairs = [(value, expected[name]) for name, value in answer.items()]
    return all(abs(one - other) < CLOSE if isinstance(other, float) else one == other for one, other in pairs)


def _least(seen: Mapping[str, int]) -> dict[str, int]:
    return {"answers_of_rarer_version": min(seen.values())}


def _expected(bundle: Path, bodies: Sequence[bytes]) -> list[dict[str, Any]]:
    predictor = Predictor(bundle)
    rows = [row for body in bodies for row in json.loads(body)["dataframe_records"]]
    tables = [predictor.table(predictor.preprocess.from_request([row], {"max_pixels": 64_000_000})) for row in rows]
    return [{name: values[0] for name, values in columns.items()} for columns in tables]


def run(
    *,
    rows: int = 4000,
    trials: int = 3,
    seconds: float = 2.0,
    rounds: int = 10,
    starts: int = 3,
    requests: int = 200,
    litserve: bool = True,
) -> Result:
    """Serve the champion of a short study by several servers."""
    if (os.cpu_count() or 1) < 2:
        raise RuntimeError("the load needs a core of its own: this benchmark takes two")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder, home = Path(temporary), Path(temporary) / "home"
        case = table_case(home, rows, trials, requests)
        pictures = picture_case(home, rows, 1, 20)
        print(f"{case.study.best()}, {pictures.study.best()}", flush=True)
        servers = contestants(case, home, folder, litserve=litserve)
        found, right = contest(case, servers, folder, rounds=rounds, seconds=seconds, starts=starts)
        targets = {"speedup_rps": ">= 3", "p50_ratio": "<= 0.333"}
        figures += [Figure.of(name, values, target=targets.get(name, "")) for name, values in ratios(found, MLFLOW).items()]
        for rival in (server.name for server in servers if server.name not in {OURS, MLFLOW}):
            figures += [Figure.of(f"{name}_{rival}", values) for name, values in ratios(found, rival).items()]
        for name, values in found.items():
            unit = (
                "us"
                if "_us_" in name
                else "ms"
                if "_ms_" in name
                else "1/s"
                if "_rps_" in name
                else "MB"
                if name.endswith("_mb")
                else ""
            )
            if "_failed_" in name:
                figures.append(Figure(name=name, value=sum(values), target="0"))
            else:
                figures.append(Figure.of(name, values, unit="s" if name.endswith("_start_s") else unit))
        figures += [Figure(name=f"{name}_right", value=value, target=str(requests)) for name, value in right.items()]
        figures += _robust(case, pictures, folder, seconds)
    notes = [
        "One model, one row a request; each server on one core, the load on the other; rounds are interleaved.",
        "ours: from the registry, with a key for every request, all limits, and a log of all requests in a file.",
        "mlflow: `mlflow models serve` of the same registered model, on what `pip install mlflow` installs.",
        "mlflow_uvloop: the same with uvloop and httptools, which our extra serve brings along.",
        "litserve: the bundle's predict.py in LitServe as documented; it has an API process and a worker.",
        "speedup_rps: answers per second on 8 connections against mlflow; p50_ratio: median latency on 1 connection.",
        "cpu_us: processor time of all processes of a server for one request; the machine's other work hardly changes it.",
        "right: answers that equal the bundle's own exactly. start_s: from the start of the process to its first answer.",
        "memory_mb: all processes of a server, with its share of what others use too.",
        f"lost, wrong (another label than the named version's, or a probability more than {CLOSE:g} off): while the champion is swapped several times a second under the load of 8 connections.",
        "refused: hostile requests that got a 4xx with a message; slow_failed: requests beside 80 slow clients.",
    ]
    return Result(figures=figures, notes=notes)


def _robust(case: Case, pictures: Case, folder: Path, seconds: float) -> list[Figure]:
    """The figures of attacks, slow clients and swaps."""
    bundles = [folder / one.study.name for one in (case, pictures)]
    for one, bundle in zip((case, pictures), bundles, strict=True):
        one.study.best().export(bundle)
    server = ours(folder / "attacked", folders=[str(bundle) for bundle in bundles])
    attacks = attacks_on(case, pictures)
    with running(server, case.bodies[0], SERVER_CORE, folder / "attacked.log"):
        good = refused(server, attacks)
        failed, p99 = beside_slow_clients(server, case.bodies, 2 * seconds)
        alive = server.answer(case.bodies[0])[0] == 200
    swaps = swapped(case, folder, seconds=max(10.0, seconds))
    return [
        Figure(name="lost", value=swaps.pop("lost"), target="0"),
        Figure(name="wrong", value=swaps.pop("wrong"), target="0"),
        *(Figure(name=name, value=value) for name, value in swaps.items()),
        Figure(name="refused", value=good, target=str(len(attacks))),
        Figure(name="slow_failed", value=failed, target="0"),
        Figure(name="slow_p99_ms", value=p99, unit="ms"),
        Figure(name="alive", value=alive, target="1"),
    ]
