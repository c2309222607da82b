"""How a registered model is served: by MLflow's own command, from the store where it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .tracking_uri import tracking_uri

CONNECTIONS = "500"  # at a time, also idle ones, which the model's door closes; the web server answers 503 to more


def serve_command(
    name: str, *, home: str | Path, uri: str | None = None, alias: str = "champion", host: str = "127.0.0.1", port: int = 5001
) -> tuple[list[str], dict[str, str]]:
    """The command that serves a registered model, in the environment that is here.

    It is MLflow's own, so that what is tried here is what runs elsewhere; what is added is the store's address, the
    folder of this Python's programs, among which MLflow looks for its web server, and how many connections that takes.

    Args:
        name: The registered model.
        home: The folder of all studies.
        uri: Another MLflow store than the home's own.
        alias: Which of its versions.
        host: Who may ask; by default this machine alone.
        port: Where to listen.

    Returns:
        The command, and the environment to run it in.
    """
    address = tracking_uri(home, uri or "")
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    quiet = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "UVICORN_LIMIT_CONCURRENCY": CONNECTIONS}
    environment = {**quiet, **os.environ}
    environment |= {"MLFLOW_TRACKING_URI": address, "MLFLOW_REGISTRY_URI": address, "PATH": programs}
    model = ["-m", f"models:/{name}@{alias}", "--env-manager", "local"]
    address_options = ["--host", host, "--port", str(port)]
    return [sys.executable, "-m", "mlflow", "models", "serve", *model, *address_options], environment
