"""MLflow's own server for one of our stores, and the requests of its pages."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lepton_automl.tracking.registry import ui_command

PATIENCE = 240.0  # seconds to start, on a busy machine


@contextmanager
def served(home: Path) -> Iterator[str]:
    """Run a server as `lepton ui` does; yields its address."""
    port = _free_port()
    with open(home / "server.log", "wb") as log:
        server = subprocess.Popen([*ui_command(home, port), "--workers", "1"], stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, server)
        yield address
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).read()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("mlflow did not start; see server.log")


class Page:
    """The requests of a page, as observed with the pages of MLflow 3.17.

    Args:
            address: The server's address.
            experiment: The experiment's id.
    """

    def __init__(self, address: str, experiment: str) -> None:
        self.address, self.experiment = address, experiment

    def runs(self, *, most: int = 100, order: str = "attributes.start_time DESC", sieve: str = "", token: str = "") -> Any:
        """Request a page of the run list."""
        query = {"experiment_ids": [self.experiment], "run_view_type": "ACTIVE_ONLY", "max_results": most, "order_by": [order]}
        return self._post(
            "runs/search", query | ({"filter": sieve} if sieve else {}) | ({"page_token": token} if token else {})
        )

    def run(self, run_id: str) -> Any:
        """Request a run's page: the run, its children, its versions."""
        children = f"tags.`mlflow.parentRunId` = '{run_id}'"
        response = self._get(f"runs/get?run_id={run_id}")
        self.runs(most=10, sieve=children)
        self._get(f"model-versions/search?filter=run_id%3D%27{run_id}%27")
        return response

    def compare(self, run_ids: list[str]) -> Any:
        """Request the page that compares runs: all of them at once, then the artifacts of each."""
        listed = ",".join(f"'{run_id}'" for run_id in run_ids)
        query = {"experiment_ids": [self.experiment], "filter": f"run_id IN ({listed})", "run_view_type": "ALL"}
        response = self._post("runs/search", query | {"max_results": len(run_ids)})
        for run_id in run_ids:
            self._get(f"artifacts/list?run_uuid={run_id}")
        return response

    def histories(self, run_ids: list[str], metric: str) -> Any:
        """Request the curves of one chart."""
        chosen = "&".join(f"run_ids={run_id}" for run_id in run_ids)
        return self._get(f"metrics/get-history-bulk-interval?{chosen}&metric_key={metric}&max_results=320")

    def _post(self, path: str, query: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        return self._response(urllib.request.Request(self._url(path), json.dumps(query).encode(), headers))

    def _get(self, path: str) -> Any:
        return self._response(urllib.request.Request(self._url(path)))

    def _url(self, path: str) -> str:
        return f"{self.address}/ajax-api/2.0/mlflow/{path}"

    def _response(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())
