"""Commands about MLflow: its pages and its registry."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from .shared import Json, StudyName, app, opened

LATEST = 10  # studies whose pages are listed


@app.command(rich_help_panel="MLflow")
def sync(
    study: StudyName,
    tracking_uri: Annotated[str | None, typer.Option(help="Address of the MLflow store; default: the study's own.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Keep syncing until the study ends.")] = False,
) -> None:
    """Sync a study to MLflow, for example to another server or after a server was down. Registers no model.

    A server's user and password are read from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
    """
    from lepton_automl.tracking.secrets import masked

    handle = opened(study)
    trials = handle.tracking.sync(tracking_uri, follow=follow)
    print(
        f"{study} is synced to {masked(tracking_uri or handle.tracking.uri)}: {trials} ended trials. No model was registered."
    )


@app.command(rich_help_panel="MLflow")
def ui(
    study: Annotated[
        str | None,
        typer.Argument(help="Print the address of this study's page; default: those of the latest studies.", metavar="STUDY"),
    ] = None,
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 5000,
) -> None:
    """Serve MLflow's pages for the local store; for a server, print the addresses of its pages."""
    import subprocess

    from lepton_automl.study_store import StudyStore
    from lepton_automl.tracking.experiments import study_pages
    from lepton_automl.tracking.pages import app_options
    from lepton_automl.tracking.rebuild import rebuild_lost
    from lepton_automl.tracking.store import pages_at, ui_command
    from lepton_automl.tracking.tracking_uri import requested_tracking

    if study is not None:
        opened(study)  # raises if there is no such study
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


@app.command(rich_help_panel="MLflow")
def models(
    name: Annotated[str | None, typer.Argument(help="A registered model; default: list all.", metavar="NAME")] = None,
    as_json: Json = False,
) -> None:
    """List registered models, or compare the versions of one, with their aliases."""
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


@app.command(rich_help_panel="MLflow")
def promote(
    name: Annotated[str, typer.Argument(help="The registered model.", metavar="NAME")],
    version: Annotated[str, typer.Argument(help="The version to give the alias to.", metavar="VERSION")],
    alias: Annotated[str, typer.Option(help="The alias.")] = "champion",
) -> None:
    """Move an alias, such as champion, to a version of a registered model."""
    from lepton_automl.study.registry import Registry

    Registry().promote(name, version, alias=alias)
    print(f"{name}@{alias} is version {version}. To undo: lepton rollback {name} --alias {alias}")


@app.command(rich_help_panel="MLflow")
def rollback(
    name: Annotated[str, typer.Argument(help="The registered model.", metavar="NAME")],
    alias: Annotated[str, typer.Option(help="The alias.")] = "champion",
) -> None:
    """Move an alias back to the version that had it before."""
    from lepton_automl.study.registry import Registry

    print(f"{name}@{alias} is version {Registry().roll_back(name, alias=alias)} again.")
