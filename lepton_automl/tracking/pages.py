"""MLflow's own pages, which open in their mode for training: the app that `lepton ui` serves.

MLflow 3.17 takes the mode from the address (`workflowType`), else from the browser's storage, else it is the one for language
models, in which a study's runs and models have no link. Its link to a run drops `workflowType`, so an address alone holds for
one click. The first page therefore stores the mode for training, unless the person has chosen one.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

APP = "lepton"  # the app's name among MLflow's, in pyproject.toml
# What MLflow's pages keep in the browser: the mode, and that the assistant's panel, a third of the page, has opened by itself.
STORED = {"mlflow.workflowType_v1": "machine_learning", "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True}


@functools.cache
def app_options() -> list[str]:
    """The options by which `mlflow ui` serves this app; none where it is not installed, as in a mere copy of the source."""
    from importlib.metadata import entry_points

    return ["--app-name", APP] if list(entry_points(group="mlflow.app", name=APP)) else []


def create_app() -> FastAPI:
    """MLflow's app, with another first page."""
    from mlflow.server import app as pages
    from mlflow.server.fastapi_app import app as served
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    text = with_mode((Path(str(pages.static_folder)) / "index.html").read_text(encoding="utf-8"))

    async def first_page(_request: object) -> HTMLResponse:  # as Starlette calls it
        return HTMLResponse(text, headers={"Cache-Control": "no-cache"})

    app: FastAPI = served
    app.router.routes.insert(0, Route("/", first_page))  # before MLflow's own, and behind its checks of hosts and origins
    return app


def with_mode(page: str) -> str:
    """MLflow's first page, with a script ahead of its own that stores what is not stored yet."""
    script = f"for(const[k,v]of Object.entries({json.dumps(STORED)}))localStorage[k]??=JSON.stringify(v)"
    # Where a browser keeps no storage the pages work without.
    return page.replace("<head>", f"<head><script>try{{{script}}}catch{{}}</script>", 1)
