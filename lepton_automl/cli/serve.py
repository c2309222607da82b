"""Commands that serve models, and the keys of those who ask."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lepton_automl.errors import ConfigError, StudyError, one_of

from .shared import Json, Knee, MaxLatency, MinScore, TrialNumber, app, opened, picked
from .usage import Shell

if TYPE_CHECKING:
    from lepton_automl.serving.sources import ModelSource

ONE = "Leave out one of them."
FOLDER = ".serving"  # in the folder of all studies: keys, and copies of models from a remote registry

keys_app = typer.Typer(cls=Shell, no_args_is_help=True, help="The keys of a server: who may ask it, and for what.")
app.add_typer(keys_app, name="keys", rich_help_panel="Serving")


@app.command(rich_help_panel="Serving")
def serve(  # noqa: PLR0917  # one parameter an option
    names: Annotated[
        list[str],
        typer.Argument(
            help="Studies, registered models, or folders of bundles; NAME=FOLDER gives a folder's model a name. "
            "With an option that chooses a model, one study.",
            metavar="NAME...",
        ),
    ],
    alias: Annotated[str, typer.Option(help="Serve the version of a registered model with this alias.")] = "champion",
    trial: TrialNumber = None,
    min_score: MinScore = None,
    max_latency_ms: MaxLatency = None,
    knee: Knee = False,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but this machine's own needs TLS and a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for a free one.")] = 5001,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate with its chain, a PEM file.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key of the certificate, a PEM file.")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy speaks TLS with the clients; every request needs a key.")
    ] = False,
    require_key: Annotated[bool, typer.Option("--require-key", help="Requests from this machine need a key, too.")] = False,
    threads: Annotated[int, typer.Option(help="Threads that one call of a model may use.")] = 1,
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Use MLflow's server, for one registered model.")] = False,
) -> None:
    """Serve models over HTTP, with their addresses on a page at /docs.

    A registered model is served by its alias; when the alias moves, requests go to the other version, and none is lost. With
    --trial, --min-score, --max-latency-ms or --knee that model of one study is served.
    """
    chosen = trial is not None or min_score is not None or max_latency_ms is not None or knee
    if chosen and alias != "champion":
        raise ConfigError("--alias names a version, and there is an option that names a trial", where="serve", fix=ONE)
    if (chosen or mlflow) and len(names) > 1:
        raise ConfigError(f"{len(names)} models are named, and an option is for one", where="serve", fix="Name one model.")
    if mlflow:
        _check_mlflow(host, keys=require_key or behind_proxy or tls_cert is not None or tls_key is not None)
        if chosen:
            model = picked(opened(names[0]), trial, min_score, max_latency_ms, knee=knee)
            alias = f"trial-{model.number}"
            model.register(alias=alias)
        _serve_by_mlflow(names[0], alias, host, port)
        return
    from lepton_automl.serving.safety import Listening
    from lepton_automl.serving.server import check_packages, quiet_logs
    from lepton_automl.serving.server import serve as serve_sources
    from lepton_automl.serving.sources import FixedSource

    listening = Listening(
        host=host, port=port, tls_cert=tls_cert, tls_key=tls_key, behind_proxy=behind_proxy, require_key=require_key
    )
    listening.check()
    check_packages()
    if chosen:
        model = picked(opened(names[0]), trial, min_score, max_latency_ms, knee=knee)
        sources: list[ModelSource] = [FixedSource(names[0], f"trial-{model.number}", model.path)]
    else:
        sources = _sources(names, alias)
    quiet_logs()
    serve_sources(sources, folder=_folder(), listening=listening, threads=threads, say=_say)


def _sources(names: list[str], alias: str) -> list[ModelSource]:
    """Where models come from that are named on the command line: folders, the registry, or studies.

    Raises:
        ConfigError: There is no such folder.
        StudyError: There is no such model, and no such study.
    """
    from lepton_automl.serving.registry_source import RegistryFollower
    from lepton_automl.study_store import StudyStore
    from lepton_automl.tracking.tracking_uri import requested_tracking

    store = StudyStore()
    studies = store.studies
    follower = RegistryFollower(store.folder, uri=requested_tracking(store.folder).uri, cache=_folder() / "models")
    sources = [_folder_source(name, studies) or follower.source(name, alias) for name in names]
    try:
        return [_checked(source, studies, alias) for source in sources]
    except BaseException:
        follower.close()
        raise


def _folder_source(name: str, studies: list[str]) -> ModelSource | None:
    """The folder that a name stands for; None if it is the name of a study or of a registered model."""
    from lepton_automl.serving.sources import FolderSource

    own, _, folder = name.rpartition("=")
    plain = not own and os.sep not in name
    if plain and (name in studies or not Path(name).is_dir()):
        return None
    if not Path(folder).is_dir():
        raise ConfigError(f"there is no folder {folder!r}", where="serve", fix="Export one: lepton export STUDY --out FOLDER")
    return FolderSource(Path(folder), own)


def _checked(source: ModelSource, studies: list[str], alias: str) -> ModelSource:
    """A source that answers; the chosen model of a study instead of a model that is not registered."""
    from lepton_automl.serving.sources import FixedSource

    try:
        source.poll()
    except StudyError as error:
        if source.name not in studies or alias != "champion":
            fix = f"{error.fix} {one_of(source.name, sorted(studies))}" if studies else error.fix
            raise StudyError(error.what, where=error.where, fix=fix) from error
        model = opened(source.name).best()
        return FixedSource(source.name, f"trial-{model.number}", model.path)
    return source


def _check_mlflow(host: str, *, keys: bool) -> None:
    """Refuse what MLflow's server does not do, and say so where it matters.

    Raises:
        ConfigError: Keys or TLS are asked for.
    """
    from lepton_automl.serving.safety import Listening

    if keys:
        fix = "Leave out --mlflow for our own server, or these options."
        raise ConfigError("MLflow's server has neither keys nor TLS", where="serve", fix=fix)
    if not Listening(host=host).local:
        print(f"warning: MLflow's server has no keys: all who reach {host} are answered", file=sys.stderr)


def _serve_by_mlflow(name: str, alias: str, host: str, port: int) -> None:
    """Replace this process by MLflow's server."""
    from lepton_automl.study.registry import Registry
    from lepton_automl.tracking.serving import serve_command

    registry = Registry()
    version = registry.compare(name, alias).columns[0]  # raises if there is no such version
    command, environment = serve_command(name, home=registry.home.folder, uri=registry.uri, alias=alias, host=host, port=port)
    _say(f"{name} version {version}: POST http://{host}:{port}/invocations, as the model card shows.")
    os.execve(command[0], command, environment)  # noqa: S606  # no shell is wanted: signals reach the server itself


@keys_app.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="Whom the key is for.", metavar="NAME")],
    role: Annotated[
        list[str] | None, typer.Option(help="predict, feedback, read or admin; give it several times for several roles.")
    ] = None,
    rate: Annotated[float, typer.Option(help="Requests per second in the long run; 0 for no limit.")] = 0.0,
    burst: Annotated[int, typer.Option(help="Requests that may come at once.")] = 100,
) -> None:
    """Make a key and print it, once: only its hash is kept. By default its role is predict; a running server knows it in seconds."""
    from lepton_automl.serving.keys import KeyFile

    print(KeyFile(_folder()).add(name, tuple(role or ("predict",)), rate=rate, burst=burst))


@keys_app.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the keys: their names, roles and limits, not the keys themselves."""
    from lepton_automl.serving.keys import KeyFile

    keys = KeyFile(_folder()).entries()
    if as_json:
        shown = [{name: value for name, value in key.to_json().items() if name != "hash"} for key in keys]
        print(json.dumps(shown))
        return
    for key in keys:
        limit = f"{key.rate:g} requests a second, {key.burst} at once" if key.rate else "no limit"
        print(f"{key.name} ({key.id}): {', '.join(key.roles)}; {limit}")
    if not keys:
        print("There are no keys. Make one: lepton keys add NAME")


@keys_app.command("remove")
def remove_key(name: Annotated[str, typer.Argument(help="The key's name, or its id.", metavar="NAME")]) -> None:
    """Remove a key; a running server refuses it within seconds."""
    from lepton_automl.serving.keys import KeyFile

    key = KeyFile(_folder()).remove(name)
    print(f"The key {key.name} is removed.")


def _folder() -> Path:
    """The folder of the server's own files."""
    from lepton_automl.study_store import StudyStore

    return StudyStore().folder / FOLDER


def _say(text: str) -> None:
    print(text, flush=True)
