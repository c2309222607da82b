"""Follows a registered model for a server: the bundles of its versions, and which of them has the alias.

It runs as a process of its own, `python -m lepton_automl.tracking.served_versions`, so that MLflow, which takes seconds to import
and 150 MB of memory, is kept out of the process that answers requests. It prints a line of JSON whenever something changes, and
ends when its standard input is closed.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lepton_automl.errors import LeptonError, StudyError

from .store import Store, opened_store
from .tracking_uri import OWN, tracking_uri

BUNDLE = "bundle"  # the artifact of a logged model; see `logged`


class Follower:
    """Looks up what a registered model offers.

    Args:
        name: The registered model.
        alias: The alias of the version to serve.
        home: The folder of all studies.
        uri: An MLflow store other than the home's own; empty for none.
        cache: Where versions of a remote store are copied to.
    """

    def __init__(self, name: str, alias: str, home: Path, uri: str, cache: Path) -> None:
        self.name, self.alias, self.home, self.uri, self.cache = name, alias, home, uri, cache
        self._store: Store | None = None
        self._seen: Any = None
        self._champion = ""
        self._failed = ""

    def news(self) -> dict[str, Any] | None:
        """What the model offers, or `error`, why that is not known; None if that is the same as before."""
        try:
            found = self.changed()
        except LeptonError as error:
            self._store = self._seen = None  # the store may have been replaced
            self._champion = ""
            known, self._failed = self._failed, str(error)
            return None if self._failed == known else {"error": error.to_json()}
        if found is not None:
            self._failed = ""
        return found

    def changed(self) -> dict[str, Any] | None:
        """What the model offers, as `offered` returns it; None if that is the same as before.

        Raises:
            StudyError: MLflow cannot be reached, or there is no such model or alias.
        """
        touched = self._touched()
        if touched is not None and touched == self._seen and not self._failed:
            return None
        if self._store is not None:
            champion = self._champion_in(self._store)
            if champion == self._champion:
                self._seen = touched
                return None
        found = offered(self.name, self.alias, home=self.home, uri=self.uri, cache=self.cache)
        self._store = Store(self.home, tracking_uri(self.home, self.uri))
        self._champion, self._seen = found["champion"], touched
        return found

    def _touched(self) -> Any:
        """What changes whenever the home's own store is written; None for another store."""
        if self.uri:
            return None
        files = (self.home / name for name in (OWN, f"{OWN}-wal"))
        return tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.exists())

    def _champion_in(self, store: Store) -> str:
        try:
            return str(store.client.get_model_version_by_alias(self.name, self.alias).version)
        except Exception as error:  # MLflow's, SQLAlchemy's, or those of requests
            reason = str(error).strip().partition("\n")[0]
            raise StudyError(f"the alias {self.alias} cannot be looked up: {reason}", where=self.name) from error


def offered(name: str, alias: str, *, home: Path, uri: str = "", cache: Path) -> dict[str, Any]:
    """The versions of a registered model that can be served.

    Args:
        name: The registered model.
        alias: The alias of the version to serve.
        home: The folder of all studies.
        uri: An MLflow store other than the home's own; empty for none.
        cache: Where the version with the alias is copied to, if the store is not on this machine.

    Returns:
        `champion`, the version with the alias, and `versions`, the bundle of each version that is on this machine.

    Raises:
        StudyError: MLflow cannot be reached, there is no such model or alias, or its version has no bundle.
    """
    with opened_store(home, uri) as store:
        try:
            aliases = store.client.get_registered_model(name).aliases
        except Exception as error:
            fix = "See the names: lepton models. Register one: lepton register STUDY"
            raise StudyError(f"there is no registered model {name!r}", where=str(uri or home), fix=fix) from error
        if alias not in aliases:
            fix = f"Give it to a version: lepton promote {name} VERSION --alias {alias}"
            raise StudyError(f"no version has the alias {alias}", where=name, fix=fix)
        champion = str(aliases[alias])
        listed = store.client.search_model_versions(f"name = '{name}'", max_results=10_000)
        numbers = sorted((str(version.version) for version in listed), key=int)
        places = {number: str(store.client.get_model_version_download_uri(name, number)) for number in numbers}
    folders = {number: _bundle_in(_local(place)) for number, place in places.items()}
    if folders.get(champion) is None:
        folders[champion] = _bundle_in(_fetched(places[champion], cache / name / champion))
    found = {number: str(folder) for number, folder in folders.items() if folder is not None}
    if champion not in found:
        fix = "Only models that this package registered are served so; for others: lepton serve NAME --mlflow"
        raise StudyError(f"version {champion} has no bundle", where=name, fix=fix)
    return {"champion": champion, "versions": found}


def _local(place: str) -> Path | None:
    """A folder on this machine; None for another place."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(place) if not parts.scheme else None


def _bundle_in(folder: Path | None) -> Path | None:
    """The bundle in a logged model's folder; None if there is none."""
    from mlflow.models import Model

    if folder is None or not (folder / "MLmodel").is_file():
        return None
    artifacts = Model.load(str(folder)).flavors.get("python_function", {}).get("artifacts", {})
    return folder / artifacts[BUNDLE]["path"] if BUNDLE in artifacts else None


def _fetched(place: str, folder: Path) -> Path:
    """A copy of a logged model's folder; one that was made before is used again, as versions do not change."""
    import mlflow

    if not (folder / "MLmodel").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        mlflow.artifacts.download_artifacts(artifact_uri=place, dst_path=str(folder))
    inside = next(folder.rglob("MLmodel"), None)
    return inside.parent if inside is not None else folder


def main() -> None:
    """Print what models offer whenever that changes, until standard input is closed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--uri", default="")
    parser.add_argument("--model", action="append", default=[], help="NAME@ALIAS")
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    ended = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    output, sys.stdout = sys.stdout, sys.stderr  # what MLflow prints is no answer
    pairs = [model.rpartition("@")[::2] for model in given.model]
    followers = [Follower(name, alias, given.home, given.uri, given.cache) for name, alias in pairs]
    while not ended.is_set():
        for follower in followers:
            found = follower.news()
            if found is not None:
                line = {"model": follower.name, "alias": follower.alias, **found}
                print(json.dumps(line), file=output, flush=True)
        ended.wait(given.seconds)


if __name__ == "__main__":
    main()
