"""A real Jupyter server and a real browser; what is missing is skipped, with its reason."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
SIZE = {"width": 1280, "height": 720}
ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The address of a server of JupyterLab and Notebook 7, and the folder that it shows."""
    for package in ("jupyterlab", "notebook", "ipywidgets", "anywidget", "playwright"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    if not CHROMIUM:
        pytest.skip("there is no chromium: name one by CHROMIUM")
    folder = tmp_path_factory.mktemp("notebooks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = {f"JUPYTER_{name}_DIR": str(tmp_path_factory.mktemp(name)) for name in ("CONFIG", "DATA", "RUNTIME")}
    env = os.environ | home | {"PYTHONPATH": str(ROOT), "LEPTON_HOME": str(folder / "mlruns"), "OMP_NUM_THREADS": "1"}
    words = ["-m", "jupyter", "server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    open_to_us = [
        "--IdentityProvider.token=",
        "--ServerApp.password=",
        "--ServerApp.disable_check_xsrf=True",
        f"--ServerApp.root_dir={folder}",
    ]
    with open(folder.parent / "server.log", "wb") as log:
        process = subprocess.Popen([sys.executable, *words, *open_to_us], env=env, stdout=log, stderr=log)
        try:
            _wait(f"http://127.0.0.1:{port}/api/status", process)
            yield f"http://127.0.0.1:{port}", folder
        finally:
            process.terminate()
            process.wait(20)


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(address):
            return
        assert process.poll() is None and time.monotonic() < until, "the Jupyter server does not start"
        time.sleep(0.2)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Chromium without a window."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("there is no chromium: name one by CHROMIUM")
    with api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture
def opened(server, browser, request) -> Iterator[object]:
    """Opens notebooks; if a test fails, a screenshot of each goes to the folder LEPTON_SHOTS."""
    from .page import Page

    pages = []

    def make(face: str, path: str, **more: object) -> Page:
        pages.append(Page(browser, server[0], face, path, **more))
        return pages[-1]

    yield make
    for number, page in enumerate(pages):
        page.leave(f"{request.node.name}-{number}")


def notebook(path: Path, *cells: str) -> None:
    """Write a notebook."""
    made = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": text, "outputs": [], "execution_count": None}
        for n, text in enumerate(cells)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


def without_kernel(address, name):
    """End the kernel of a notebook."""
    with urllib.request.urlopen(f"{address}/api/sessions") as response:
        for one in (one["id"] for one in json.load(response) if one["path"] == name):
            urllib.request.urlopen(urllib.request.Request(f"{address}/api/sessions/{one}", method="DELETE"))
