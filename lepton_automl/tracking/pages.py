"""The MLflow UI in its mode for model training: the app that `lepton ui` serves.

MLflow 3.17 takes the mode from the URL (`workflowType`), else from the browser's storage; the default is the mode for language
models, which has no links to a study's runs and models. Its link to a run drops `workflowType`, so the URL alone works for one
click only. The first page therefore stores the mode for training, unless the user has chosen one.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

APP = "lepton"  # the app's name among MLflow's, in pyproject.toml
# Settings of the MLflow UI in the browser: the mode, and that the assistant's panel, a third of the page, has already opened by itself.
STORED = {"mlflow.workflowType_v1": "machine_learning", "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True}


@functools.cache
def app_options() -> list[str]:
    """The options of `mlflow ui` that select this app; none if the package is not installed, as in a bare copy of the source."""
    from importlib.metadata import entry_points

    return ["--app-name", APP] if list(entry_points(group="mlflow.app", name=APP)) else []


def create_app() -> FastAPI:
    """MLflow's app with a modified first page."""
    from mlflow.server import app as pages
    from mlflow.server.fastapi_app import app as served
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    text = with_mode((Path(str(pages.static_folder)) / "index.html").read_text(encoding="utf-8"))

    async def first_page(_request: object) -> HTMLResponse:  # signature required by Starlette
        return HTMLResponse(text, headers={"Cache-Control": "no-cache"})

    app: FastAPI = served
    app.router.routes.insert(0, Route("/", first_page))  # before MLflow's own, but after its checks of hosts and origins
    return app


def with_mode(page: str) -> str:
    """MLflow's first page, with a script before its own that stores the settings that are not stored yet."""
    script = f"for(const[k,v]of Object.entries({json.dumps(STORED)}))localStorage[k]??=JSON.stringify(v)"
    # Without browser storage the pages still work.
    return page.replace("<head>", f"<head><script>try{{{script}}}catch{{}}</script>", 1)
