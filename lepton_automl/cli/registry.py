"""Commands about MLflow: its pages, its registry, and its server."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from .shared import Json, StudyName, app, opened

LATEST = 10  # studies whose pages are named


@app.command()
def sync(
    study: StudyName,
    tracking_uri: Annotated[str | None, typer.Option(help="Any MLflow store; by default the study's own.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the study ends.")] = False,
) -> None:
    """Bring an MLflow store level with a study, running or ended, such as after a server was down. Registers nothing.

    A server's password is taken from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
    """
    from lepton_automl.tracking.secrets import masked

    handle = opened(study)
    trials = handle.tracking.sync(tracking_uri, follow=follow)
    print(
        f"{study} is in {masked(tracking_uri or handle.tracking.uri)}: {trials} ended trials, each once. Nothing was registered."
    )


@app.command()
def ui(
    study: Annotated[str | None, typer.Argument(help="A study, whose page is named; by default the latest ones.")] = None,
    port: Annotated[int, typer.Option(help="Port of the page.")] = 5000,
) -> None:
    """Serve MLflow's pages over the store; of a server they are there already."""
    import subprocess

    from lepton_automl.study_store import StudyStore
    from lepton_automl.tracking.experiments import study_pages
    from lepton_automl.tracking.pages import app_options
    from lepton_automl.tracking.rebuild import rebuild_lost
    from lepton_automl.tracking.store import pages_at, ui_command
    from lepton_automl.tracking.tracking_uri import requested_tracking

    if study is not None:
        opened(study)  # says what is not there
    home = StudyStore().folder
    store = requested_tracking(home).uri
    if not store:
        from lepton_automl.tracking.moved import relocate_artifacts

        relocate_artifacts(home)
        rebuild_lost(home)
    known = study_pages(home, store)
    shown = {study: known.get(study, "")} if study else dict(list(known.items())[-LATEST:])
    server = store if store.startswith("http") else f"http://127.0.0.1:{port}"
    for name, page in shown.items():
        print(f"{name}: {pages_at(server, page)}", flush=True)
    print(f"all experiments: {pages_at(server)}", flush=True)
    if store.startswith("http") or not app_options():  # pages that do not store their mode for training
        print("Where a page shows GenAI, click Model training at its top left once; the browser keeps that.", flush=True)
    if not store.startswith("http"):
        sys.exit(subprocess.call(ui_command(home, port, store)))


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="A registered model; without one all are listed.")] = None,
    as_json: Json = False,
) -> None:
    """Show registered models; of one its versions side by side, with their aliases."""
    from lepton_automl.study.registry import Registry

    registry = Registry()
    if name is None:
        print(json.dumps(registry.models) if as_json else "\n".join(registry.models) or "No model is registered here.")
        return
    table = registry.versions(name)
    if as_json:
        print(table.to_json(orient="records", date_format="iso"))
        return
    print(registry.compare(name).to_string(na_rep=""))


@app.command()
def promote(
    name: Annotated[str, typer.Argument(help="The registered model.")],
    version: Annotated[str, typer.Argument(help="The version that is to bear the alias.")],
    alias: Annotated[str, typer.Option(help="The alias.")] = "champion",
) -> None:
    """Give an alias to a version of a registered model."""
    from lepton_automl.study.registry import Registry

    Registry().promote(name, version, alias=alias)
    print(f"{name}@{alias} is version {version}. To take it back: lepton rollback {name} --alias {alias}")


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="The registered model.")],
    alias: Annotated[str, typer.Option(help="The alias.")] = "champion",
) -> None:
    """Give an alias back to the version that bore it before."""
    from lepton_automl.study.registry import Registry

    print(f"{name}@{alias} is version {Registry().roll_back(name, alias=alias)} again.")


@app.command()
def serve(
    name: Annotated[str, typer.Argument(help="The registered model.")],
    alias: Annotated[str, typer.Option(help="Which of its versions.")] = "champion",
    host: Annotated[str, typer.Option(help="Who may ask: this machine alone, or 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen.")] = 5001,
) -> None:
    """Serve a registered model over HTTP, by MLflow's own server."""
    from lepton_automl.study.registry import Registry
    from lepton_automl.tracking.serving import serve_command

    registry = Registry()
    version = registry.compare(name, alias).columns[0]  # says at once what is not there
    command, environment = serve_command(name, home=registry.home.folder, uri=registry.uri, alias=alias, host=host, port=port)
    print(f"{name} version {version}: POST http://{host}:{port}/invocations, as its card shows.", flush=True)
    os.execve(command[0], command, environment)  # noqa: S606  # no shell is wanted: signals reach the server itself
