"""The command that serves a registered model: MLflow's own, from the store of the model."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .tracking_uri import tracking_uri

CONNECTIONS = "500"  # at a time, including idle ones, which the request guard closes; the web server answers 503 beyond


def serve_command(
    name: str, *, home: str | Path, uri: str | None = None, alias: str = "champion", host: str = "127.0.0.1", port: int = 5001
) -> tuple[list[str], dict[str, str]]:
    """The command that serves a registered model in the current Python environment.

    It is MLflow's own, so that local serving matches serving elsewhere; added are the store's URL, the folder of this
    Python's programs, where MLflow looks for its web server, and the limit on connections.

    Args:
        name: The registered model.
        home: The folder of all studies.
        uri: An MLflow store other than the home's own.
        alias: The alias of the version to serve.
        host: The address to listen on; by default reachable from this machine only.
        port: The port to listen on.

    Returns:
        The command and its environment variables.
    """
    address = tracking_uri(home, uri or "")
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    quiet = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "UVICORN_LIMIT_CONCURRENCY": CONNECTIONS}
    environment = {**quiet, **os.environ}
    environment |= {"MLFLOW_TRACKING_URI": address, "MLFLOW_REGISTRY_URI": address, "PATH": programs}
    model = ["-m", f"models:/{name}@{alias}", "--env-manager", "local"]
    address_options = ["--host", host, "--port", str(port)]
    return [sys.executable, "-m", "mlflow", "models", "serve", *model, *address_options], environment
